#!/usr/bin/env bash
# Analyses an ADD and a DEL: the system calls and the kernel's time for each (perf trace), their
# order (strace -f -r), the cost of the processes without tracing, and the kernel locks that fifty
# parallel calls wait for (perf lock). Needs root, perf (Debian: linux-perf) and strace. Everything
# happens in separate namespaces.
#
#   bench/anatomy.sh [FOLDER OF THE PROGRAMS [FOLDER FOR THE RESULTS]]
set -euo pipefail

bin=$(realpath "${1:-target/bench/bin}")
out=${2:-target/bench/anatomy}
mkdir -p "$out"
out=$(realpath "$out")

if [ -z "${INSIDE:-}" ]; then
    INSIDE=yes exec unshare --net --mount --pid --fork --mount-proc "$0" "$bin" "$out"
fi

mount -t tmpfs none /run
mkdir -p /run/netns /run/bin /run/state
mount --bind /run/state /var/lib
cp "$bin"/{flatland,flatland-claim,floor} /run/bin
ln /run/bin/flatland /run/bin/flatland-ipam
ip link set lo up
ip link add uplink type veth peer name switch
ip address add 192.168.1.11/24 dev uplink
ip link set switch up
ip link set uplink up
ip netns add pod
ip -n pod link set lo up
sysctl -qw net.ipv4.ip_forward=1

cat >/run/config <<'CONFIG'
{ "cniVersion": "1.0.0", "name": "anatomy", "type": "flatland", "nodeAddresses": ["192.168.1.11"],
  "ipam": { "type": "flatland-ipam", "nodeName": "n1", "podCIDRs": ["10.244.0.0/16"] } }
CONFIG
export CNI_PATH=/run/bin CNI_CONTAINERID=pod CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0

# call VERB COMMAND...: one call of the plugin by a command, after a pause without other calls.
call() {
    local verb=$1
    shift
    # The work that a DEL leaves to a background process ends within this time.
    sleep 0.4
    CNI_COMMAND=$verb "$@" /run/bin/flatland </run/config >/run/result
}

both() {
    call ADD "$@"
    call DEL "$@"
}

# storm VERB COMMAND...: calls for fifty pods in parallel, all by one command.
storm() {
    local verb=$1
    shift
    CNI_COMMAND=$verb "$@" bash -c 'for pod in $(seq 50); do
        CNI_CONTAINERID=pod$pod CNI_NETNS=/run/netns/pod$pod /run/bin/flatland </run/config >/dev/null &
    done
    wait'
}

both env # claims a subnet, makes folders
for verb in ADD DEL; do
    call "$verb" perf trace --summary --output "$out/${verb,,}.summary"
done
for verb in ADD DEL; do
    call "$verb" strace -f -r -o "$out/${verb,,}.strace"
done
for verb in ADD DEL; do
    # Page faults, processor time and elapsed time of all processes of one call.
    call "$verb" perf stat --event minor-faults,task-clock,context-switches --output "$out/${verb,,}.stat"
done
for pod in $(seq 50); do
    ip netns add "pod$pod"
done
for verb in ADD DEL; do
    storm "$verb" env
done
sleep 0.4
for verb in ADD DEL; do
    storm "$verb" perf lock record --all-cpus --output "$out/${verb,,}.lock" 2>"$out/${verb,,}.perf"
    perf lock contention --input "$out/${verb,,}.lock" >"$out/${verb,,}.contention" 2>&1
done
for verb in add del; do
    printf '== %s: %s system calls\n' "${verb^^}" "$(grep -cE '^[0-9]+ +[0-9.]+ [a-z0-9_]+\(' "$out/$verb.strace")"
    cat "$out/$verb.summary" "$out/$verb.stat"
    echo 'fifty at once: locks that they waited for; RTNL is what netlink waits for'
    head -6 "$out/$verb.contention"
done
