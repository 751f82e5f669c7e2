#!/usr/bin/env bash
# Makes the release once more, from a clone in another folder, and compares it with dist/release byte by
# byte. `make release-check` runs this.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/dist/release
clone=$PWD/target/release-check/in/another/folder
there=$clone/dist/release

# The clone is kept: cargo compiles only what has changed since.
test -d "$clone" || git clone --quiet --no-checkout . "$clone"
git -C "$clone" fetch --quiet "$PWD" HEAD
git -C "$clone" checkout --quiet --force --detach FETCH_HEAD
mkdir -p "$clone/target"
ln -sfn "$PWD/target/tools" "$clone/target/tools"
# Another user's settings must not matter either. Variables of this make are none of that one.
(cd "$clone" && unset MAKEFLAGS MAKEOVERRIDES && umask 077 && TZ=Pacific/Auckland LC_ALL=C.UTF-8 make release)

# unpack FILE FOLDER: what is in an archive; the file itself if it is none.
unpack() {
    mkdir -p "$2"
    case $1 in
        *.deb) dpkg-deb --raw-extract "$1" "$2" ;;
        *.tar | *.tgz | *.tar.gz) tar --extract --file "$1" --directory "$2" ;;
        *) cp "$1" "$2" ;;
    esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
different=0
while read -r file; do
    cmp --silent "$here/$file" "$there/$file" && continue
    different=$((different + 1))
    echo "differs: $file"
    if ! test -e "$here/$file" || ! test -e "$there/$file"; then continue; fi
    unpack "$here/$file" "$work/$file.here"
    unpack "$there/$file" "$work/$file.there"
    diff --recursive --brief "$work/$file.here" "$work/$file.there" | sed 's/^/    /' || true
done < <(find "$here" "$there" -type f -printf '%f\n' | sort -u)

if [ "$different" -gt 0 ]; then
    echo "$different files of the release differ when it is made in another folder" >&2
    exit 1
fi
echo "all $(find "$here" -type f | wc -l) files are the same when the release is made in another folder"
