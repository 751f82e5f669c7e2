#!/usr/bin/env bash
# Installs, upgrades, removes and purges the Debian package in a root of its own, with a pod that runs
# meanwhile. `make release-check` runs this, as root; it changes nothing of the machine.
#
#   deb.sh PACKAGE
set -euo pipefail

die() {
    printf 'deb: %s\n' "$@" >&2
    exit 1
}

if [ "${1:-}" != --inside ]; then
    package=$(realpath "$1")
    cd "$(dirname "$0")/../.."
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "making a Debian root"
    mmdebstrap --quiet --variant=essential bookworm "$work/root"
    # The same programs as an older version.
    dpkg-deb --fsys-tarfile "$package" >"$work/programs.tar"
    mkdir "$work/bin"
    tar --extract --file "$work/programs.tar" --directory "$work/bin" --transform 's,.*/,,' \
        ./opt/cni/bin/flatland{,-ipam,-claim} ./usr/sbin/{routed,flatland-policy}
    SOURCE_DATE_EPOCH=0 conf/packaging/deb.sh 0.0.1 "$(dpkg-deb --field "$package" Architecture)" \
        "$work/bin" "$work/root/old.deb"
    cp "$package" "$work/root/new.deb"
    unshare --net --mount --pid --fork --kill-child "$0" --inside "$work/root"
    exit
fi

root=$2
network='"name": "flatland", "cniVersion": "1.0.0"'
conflist="{ $network, \"plugins\": [{ \"type\": \"flatland\", \"ipam\": { \"type\": \"flatland-ipam\", \"podCIDRs\": [\"10.244.0.0/16\"] } }] }"
plugin="{ $network, \"type\": \"flatland\", \"ipam\": { \"type\": \"flatland-ipam\", \"podCIDRs\": [\"10.244.0.0/16\"] } }"

ok() { echo "ok: $*"; }
in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
# expect WHAT ACTUAL EXPECTED
expect() { [ "$2" = "$3" ] || die "$1:" "$(diff <(echo "$3") <(echo "$2"))"; }
# Every file but dpkg's own, and those of this test; nor /opt, which dpkg removes when it is empty.
files() {
    find "$root" -xdev ! -type s | sed "s,^$root,," | sort |
        grep -Ev '^/(var/lib/dpkg|var/log|var/cache|systemctl\.log|run|proc|opt$|old\.deb|new\.deb)'
}
kernel() { ip route show proto 70 && nft list tables && ip -brief link show type veth | cut -d ' ' -f 1; }
cni() {
    echo "$plugin" | in_root env CNI_COMMAND="$1" CNI_CONTAINERID=a CNI_NETNS="/proc/$pod/ns/net" CNI_IFNAME=eth0 \
        CNI_PATH=/opt/cni/bin /opt/cni/bin/flatland
}
reaches_pod() { ping -c 1 -W 2 "$address" >/dev/null || die "the pod is not reached $*"; }
is_running() { [ -e "$root/run/routed.pid" ] && kill -0 "$(cat "$root/run/routed.pid")" 2>/dev/null; }
wait_until() {
    for _ in $(seq 100); do
        if "$@"; then return; fi
        sleep 0.1
    done
    die "in vain: $*" "$(cat "$root/run/routed.log")"
}

# A machine with an uplink, and with as much of systemd as maintainer scripts ask for.
mount --make-rprivate /
mount -t proc proc /proc
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount --bind /dev "$root/dev"
mkdir -p "$root/run/systemd/system"
cat >"$root/usr/bin/systemctl" <<'SYSTEMCTL'
#!/bin/sh
echo "$*" >>/systemctl.log
is_running() { [ -e /run/routed.pid ] && kill -0 "$(cat /run/routed.pid)" 2>/dev/null; }
start() {
    $(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/routed.service) >/run/routed.log 2>&1 &
    echo $! >/run/routed.pid
}
stop() {
    kill "$(cat /run/routed.pid)"
    while is_running; do sleep 0.1; done
}
case $1 in
    start) start ;;
    stop) ! is_running || stop ;;
    try-restart) ! is_running || { stop; start; } ;;
esac
SYSTEMCTL
chmod 755 "$root/usr/bin/systemctl"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
ip link set lo up
ip link add uplink type veth peer name wire
ip link set wire up
ip address add 192.168.1.11/24 dev uplink
ip link set uplink up
# shellcheck disable=SC2016 # the shell in the namespace expands it
unshare --net sleep infinity &
pod=$!
before=$(files)
kernel_before=$(kernel)

in_root dpkg --install /old.deb
in_root routed --version
is_running && die "the daemon was started by the installation"
expect "systemctl at the installation" "$(cat "$root/systemctl.log")" daemon-reload
ok "installed, and nothing started"

in_root dpkg --purge flatland
expect "files after the purge of an unused package" "$(files)" "$before"
ok "purged before it was used, and nothing is left"

in_root dpkg --install /old.deb
echo "$conflist" >"$root/etc/flatland/10-flatland.conflist"
in_root systemctl start routed.service
wait_until test -e "$root/etc/cni/net.d/10-flatland.conflist"
address=$(cni ADD | sed -n 's,.*"address": *"\(10\.244\.[0-9.]*\)/32".*,\1,p' | head -n 1)
reaches_pod "after ADD"
first=$(cat "$root/run/routed.pid")
in_root dpkg --install /new.deb
expect "the conflist after the upgrade" "$(cat "$root/etc/flatland/10-flatland.conflist")" "$conflist"
wait_until is_running
[ "$(cat "$root/run/routed.pid")" != "$first" ] || die "the daemon was not restarted"
reaches_pod "after the upgrade"
ok "upgraded: the conflist is kept, the daemon was restarted, the pod is reached"

network=$(kernel)
in_root dpkg --remove flatland
is_running && die "the daemon runs although its package was removed"
[ ! -e "$root/usr/sbin/routed" ] || die "routed is still there"
expect "the kernel after the removal" "$(kernel)" "$network"
reaches_pod "after the removal"
ok "removed: the pod is reached"

if in_root dpkg --purge flatland; then die "purged although a pod is attached"; fi
expect "the kernel after the refused purge" "$(kernel)" "$network"
reaches_pod "after the refused purge"
ok "not purged while a pod is attached"

in_root dpkg --install /new.deb
in_root systemctl start routed.service
cni DEL
in_root dpkg --purge flatland
expect "files after the purge" "$(files)" "$before"
expect "the kernel after the purge" "$(kernel)" "$kernel_before"
[ ! -e "$root/run/flatland" ] || die "/run/flatland is still there"
if in_root dpkg --status flatland 2>/dev/null; then die "dpkg still knows the package"; fi
ok "purged: no file, route, interface or rule is left"
kill "$pod"
