#!/usr/bin/env bash
# Makes the Debian package of the programs in a folder. It needs SOURCE_DATE_EPOCH, and gives the same
# bytes for the same programs.
#
#   deb.sh VERSION ARCHITECTURE BIN FILE
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C

version=$1 architecture=$2 bin=$3 file=$4
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

# place MODE FILE PATH: installs a file under that path.
place() { install -D -m "$1" "$2" "$root$3"; }
# squeeze FILE PATH: the same, compressed.
squeeze() {
    mkdir -p "$root${2%/*}"
    gzip --no-name --best <"$1" >"$root$2"
}

for plugin in flatland flatland-claim; do
    place 755 "$bin/$plugin" "/opt/cni/bin/$plugin"
done
# One file with two names, as in $bin.
ln "$root/opt/cni/bin/flatland" "$root/opt/cni/bin/flatland-ipam"
for daemon in routed flatland-policy; do
    place 755 "$bin/$daemon" "/usr/sbin/$daemon"
done

for daemon in routed flatland-policy; do
    # From the first section on: what is above is about an installation by hand.
    sed -n "/^\[Unit\]/,\$s,/usr/local/bin/$daemon,/usr/sbin/$daemon,; /^\[Unit\]/,\$p" "conf/$daemon.service" >"$root/unit"
    place 644 "$root/unit" "/usr/lib/systemd/system/$daemon.service"
    rm "$root/unit"
    place 644 "conf/packaging/debian/$daemon.default" "/etc/default/$daemon"
done
place 644 conf/10-flatland.conflist /etc/flatland/10-flatland.conflist
# routed writes here. dpkg removes folders of packages that are empty.
mkdir -p "$root/etc/cni/net.d"

for page in docs/man/*.8; do
    squeeze "$page" "/usr/share/man/man8/${page##*/}.gz"
done
for daemon in routed flatland-policy; do
    place 644 "conf/completions/$daemon.bash" "/usr/share/bash-completion/completions/$daemon"
    place 644 "conf/completions/_$daemon" "/usr/share/zsh/vendor-completions/_$daemon"
    place 644 "conf/completions/$daemon.fish" "/usr/share/fish/vendor_completions.d/$daemon.fish"
done
place 644 conf/packaging/debian/copyright /usr/share/doc/flatland/copyright
squeeze CHANGELOG.md /usr/share/doc/flatland/changelog.gz
for example in single-node.conflist networkd.conf; do
    place 644 "conf/$example" "/usr/share/doc/flatland/examples/$example"
done

files() { (cd "$root" && find . -path ./DEBIAN -prune -o -type f "$@" | sed 's,^\./,,' | sort); }
size=$(files -printf '%s\n' | awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }')
conffiles=$(files -print | sed -n 's,^etc/,/&,p')
# dpkg knows itself what conffiles were like.
sums=$(cd "$root" && files -print | grep -v '^etc/' | xargs md5sum)
mkdir "$root/DEBIAN"
echo "$sums" >"$root/DEBIAN/md5sums"
echo "$conffiles" >"$root/DEBIAN/conffiles"
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" \
    conf/packaging/debian/control >"$root/DEBIAN/control"
chmod 644 "$root"/DEBIAN/*
for script in postinst prerm postrm; do
    place 755 "conf/packaging/debian/$script" "/DEBIAN/$script"
done

find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# More threads of xz would cut the content in other places on a machine with more processors.
dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$root" "$file" >/dev/null
