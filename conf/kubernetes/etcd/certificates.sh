#!/bin/sh
# Makes the certificates of an etcd for Flatland (etcd.yaml): an authority, one for the members, one
# for the nodes.
#
#   certificates.sh [--apply] [--folder FOLDER] ADDRESS...
#
# ADDRESS...  every address by which etcd is reached: the Service's clusterIP, each member's node
# --apply     puts them into the cluster, as Secrets of the namespace flatland (takes kubectl)
# --folder    where the files go, by default ~/.local/share/flatland/etcd-certificates (below
#             XDG_DATA_HOME, if that is set); an authority that is there already is used again
#
# Who has ca.key can make client certificates, and a client certificate is worth as much as root on
# every node. Keep it, but not in a repository and not on a node: docs/etcd.md#certificates.
set -eu
umask 077

manifests=$(cd "$(dirname "$0")/.." && pwd)
folder=${XDG_DATA_HOME:-${HOME:-/root}/.local/share}/flatland/etcd-certificates
# Where earlier versions put it: below the working directory, which may be a checkout.
earlier=flatland-etcd-certificates
apply=
addresses=
days=3650

die() {
    printf 'certificates: %s\n' "$1" >&2
    exit 64
}

while [ $# -gt 0 ]; do
    case $1 in
        --apply) apply=yes ;;
        --folder)
            [ $# -gt 1 ] || die "--folder takes a folder"
            folder=$2
            earlier=
            shift
            ;;
        -*) die "unknown flag $1; see the start of this file" ;;
        *[!0-9a-fA-F.:]*) die "$1 is no IP address" ;;
        *) addresses="$addresses,IP:$1" ;;
    esac
    shift
done
[ -n "$addresses" ] || die "name the addresses by which etcd is reached; see the start of this file"

if [ -n "$earlier" ] && [ -e "$earlier/ca.key" ] && ! [ -e "$folder/ca.key" ]; then
    die "the authority is in ./$earlier; move it: mkdir -p '$(dirname "$folder")' && mv $earlier '$folder'"
fi
mkdir -p "$folder"
cd "$folder"
chmod 700 .

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# certificate NAME COMMON-NAME EXTENSIONS
certificate() {
    key "$1.key"
    printf '%s\n' "$3" >"$1.ext"
    openssl req -new -key "$1.key" -subj "/CN=$2" |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" \
            -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    rm "$1.ext"
}

if ! [ -e ca.key ]; then
    key ca.key
    openssl req -x509 -new -key ca.key -subj /CN=flatland-etcd -days "$days" -out ca.crt
fi
# Members are servers to nodes and to each other, and clients to each other.
certificate server flatland-etcd-member "extendedKeyUsage=serverAuth,clientAuth
subjectAltName=IP:127.0.0.1$addresses"
certificate client flatland extendedKeyUsage=clientAuth
echo "certificates are in $PWD; ca.key there is worth as much as root on every node"

secrets() {
    kubectl apply -f "$manifests/namespace.yaml"
    kubectl -n flatland create secret generic flatland-etcd-server --dry-run=client -o yaml \
        --from-file=ca.crt --from-file=server.crt --from-file=server.key | kubectl apply -f -
    kubectl -n flatland create secret generic flatland-etcd --dry-run=client -o yaml \
        --from-file=ca.crt --from-file=client.crt --from-file=client.key | kubectl apply -f -
}
[ -z "$apply" ] || secrets
