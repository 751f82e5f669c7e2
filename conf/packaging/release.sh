#!/usr/bin/env bash
# Makes everything of a release in dist/release, for both processors: docs/releasing.md says what is in
# it. `make release` runs this.
#
#   release.sh VERSION COMMIT
#
# Nothing in it depends on the machine's clock, folders or users: two people make the same bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C TZ=UTC

version=$1 commit=$2
out=dist/release
processors=(x86_64 aarch64)
declare -A architecture=([x86_64]=amd64 [aarch64]=arm64)

die() {
    printf 'release: %s\n' "$@" >&2
    exit 1
}

case $commit in
    unknown) die "this is no checkout of the repository: a release names its commit" ;;
    *-dirty) die "there are changes that are not committed: commit or stash them first" ;;
esac
# Cargo would prefer these to what the Makefile gives it.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

rm -rf "$out" target/release-work
mkdir -p "$out" target/release-work
work=$PWD/target/release-work

# The programs and the image of each processor, in dist/amd64 and dist/arm64.
build() {
    local processor folder program
    for processor in "${processors[@]}"; do
        folder=dist/${architecture[$processor]}
        make --no-print-directory image TARGET="$processor-unknown-linux-musl" DIST="$folder" COMMIT="$commit"
        for program in "$folder"/bin/*; do
            grep -aqF "$version ($commit)" "$program" ||
                die "$program does not have the version $version ($commit)"
            if grep -aqF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" -e "$(rustc --print sysroot)/" "$program"; then
                die "$program names a folder of this machine"
            fi
        done
    done
}

tarball() {
    local processor=$1 name
    name=flatland-$version-linux-${architecture[$processor]}
    mkdir -p "$work/$name"/{bin,man,completions}
    install -m 755 "dist/${architecture[$processor]}/bin"/* "$work/$name/bin/"
    ln -f "$work/$name/bin/flatland" "$work/$name/bin/flatland-ipam"
    install -m 644 docs/man/*.8 "$work/$name/man/"
    install -m 644 conf/completions/* "$work/$name/completions/"
    install -m 644 conf/10-flatland.conflist conf/single-node.conflist conf/networkd.conf conf/routed.service \
        conf/flatland-policy.service CHANGELOG.md LICENSE "$work/$name/"
    conf/packaging/archive.sh "$out/$name.tar.gz" "$work" "$name"
}

# descriptor FOLDER: digest and size of the only manifest in an OCI layout.
descriptor() { sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)","size":\([0-9]*\).*/\1 \2/p' "$1/index.json"; }

# One OCI layout of the images of both processors: their blobs, and an index that names both.
# https://github.com/opencontainers/image-spec/blob/main/image-index.md
image() {
    local layout=$work/image type=application/vnd.oci.image processor digest size index entries=()
    mkdir -p "$layout"
    for processor in "${processors[@]}"; do
        tar -xf "dist/${architecture[$processor]}/flatland-image.tar" -C "$layout"
        read -r digest size <<<"$(descriptor "$layout")"
        entries+=("$(printf '{"mediaType":"%s","digest":"%s","size":%d,"platform":{"architecture":"%s","os":"linux"}}' \
            "$type.manifest.v1+json" "$digest" "$size" "${architecture[$processor]}")")
    done
    index=$(printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' \
        "$type.index.v1+json" "$(IFS=, && echo "${entries[*]}")")
    digest=$(printf %s "$index" | sha256sum | cut -d ' ' -f 1)
    printf %s "$index" >"$layout/blobs/sha256/$digest"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%d,"annotations":{"%s":"%s"}}]}' \
        "$type.index.v1+json" "$digest" "${#index}" \
        org.opencontainers.image.ref.name "localhost/flatland:$version" >"$layout/index.json"
    conf/packaging/archive.sh "$out/flatland-$version-image.tar" "$layout" blobs index.json oci-layout
}

# What the programs are made of, as CycloneDX. The tool writes beside each Cargo.toml, so it works on a
# copy, whose folder it names in each reference to a crate of ours.
sboms() {
    local copy=$work/source processor member
    cargo fetch --quiet --locked
    mkdir -p "$copy"
    git archive HEAD | tar -x -C "$copy"
    for processor in "${processors[@]}"; do
        CARGO_NET_OFFLINE=true target/tools/bin/cargo-cyclonedx cyclonedx -q --manifest-path "$copy/Cargo.toml" \
            --target "$processor-unknown-linux-musl" --format json --spec-version 1.5 --override-filename sbom
        for member in plugin:flatland ipam:flatland-ipam routed:routed policy:flatland-policy; do
            sed "s,file://$copy/,file:///flatland/,g" "$copy/${member%:*}/sbom.json" \
                >"$out/flatland-$version-${member#*:}-${architecture[$processor]}.cdx.json"
        done
    done
    if grep -lF "$work" "$out"/*.cdx.json; then die "these name a folder of this machine"; fi
}

# The section of this version in the changelog, without its heading.
changes() {
    awk -v version="$version" '/^## / { here = $2 == version; next } here' CHANGELOG.md |
        sed -e '/./,$!d' >"$out/flatland-$version-changes.md"
    test -s "$out/flatland-$version-changes.md" || die "CHANGELOG.md has no section $version"
}

# What it takes to make the same bytes.
buildinfo() {
    echo "version: $version"
    echo "commit: $(git rev-parse HEAD)"
    echo "time of the commit: $SOURCE_DATE_EPOCH"
    for tool in rustc cargo gcc aarch64-linux-gnu-gcc x86_64-linux-gnu-gcc protoc buildah dpkg-deb; do
        if command -v "$tool" >/dev/null; then echo "$tool: $("$tool" --version | head -n 1)"; fi
    done
} >"$out/BUILDINFO"

build
for processor in "${processors[@]}"; do
    tarball "$processor"
    conf/packaging/deb.sh "$version" "${architecture[$processor]}" "dist/${architecture[$processor]}/bin" \
        "$out/flatland_${version}_${architecture[$processor]}.deb"
done
image
conf/packaging/archive.sh "$out/flatland-$version.tgz" conf/helm flatland
install -m 644 conf/kubernetes/{flatland,flatland-etcd,uninstall}.yaml "$out/"
sboms
changes
buildinfo
(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
(cd "$out" && du -ab -- * | awk '{ printf "'"$out"'/%-44s %6d KiB\n", $2, $1 / 1024 }')
