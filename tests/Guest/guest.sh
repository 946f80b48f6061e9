#!/bin/sh
# Boots the guest in software emulation inside a network namespace, and talks to it over ssh. The guest is 10.0.2.15, the namespace 10.0.2.2:
# the control plane runs there too, and nothing of either meets the host's ports and addresses. What the guest writes goes to a file without a
# name in FOLDER, beside the disk, which stays as it is.
# Usage: guest.sh up|down NAMESPACE    guest.sh boot NAMESPACE ROOT DISK FOLDER    guest.sh wait NAMESPACE DISK FOLDER
#        guest.sh install NAMESPACE DISK FOLDER PACKAGE IMAGE...    guest.sh run NAMESPACE DISK FOLDER COMMAND...
set -eu
action=$1 space=$2
shift 2
# One connection for all commands: another one costs the emulated processor a second.
remote() {
    disk=$1 folder=$2
    shift 2
    ip netns exec "$space" ssh -i "$disk/key" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o ControlMaster=auto -o "ControlPath=$folder/ssh" -o ControlPersist=120 -o ServerAliveInterval=5 -o ServerAliveCountMax=12 \
        root@10.0.2.15 "$@"
}
case $action in
up)
    ip netns add "$space"
    ip -n "$space" link set lo up
    ip -n "$space" tuntap add guest0 mode tap
    ip -n "$space" address add 10.0.2.2/24 dev guest0
    ip -n "$space" link set guest0 up
    ;;
boot)
    # -no-reboot is absent on purpose: the guest reboots. A disk of its own, so writes need not reach the host's platters.
    TMPDIR=$3 ip netns exec "$space" setsid qemu-system-x86_64 -accel tcg,thread=multi -cpu "${GUEST_CPU:-max}" -smp "${GUEST_CPUS:-2}" -m "${GUEST_MEMORY:-2048}" \
        -nodefaults -nographic -kernel "$1/vmlinuz" -initrd "$1/initrd" \
        -append "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off systemd.show_status=0" \
        -drive "file=$2/disk.img,if=virtio,format=raw,cache=unsafe,snapshot=on" -netdev tap,id=n,ifname=guest0,script=no,downscript=no \
        -device virtio-net-pci,netdev=n,romfile= -device virtio-rng-pci -serial "file:$3/console.log" >"$3/qemu.log" 2>&1 </dev/null &
    echo $! >"$3/qemu.pid"
    ;;
wait)
    tries=0
    until remote "$1" "$2" true 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 180 ] && kill -0 "$(cat "$2/qemu.pid")" || { echo "the guest did not come up: $2/console.log, $2/qemu.log" >&2; exit 1; }
        sleep 1
    done
    ;;
install)
    disk=$1 folder=$2 package=$3
    shift 3
    stage=$(mktemp -d "$folder/stage.XXXXXX")
    ln "$package" "$stage/agent.deb" 2>/dev/null || cp "$package" "$stage/agent.deb"
    for image in "$@"; do cp "$image" "$stage/"; done
    tar -C "$stage" -c . | remote "$disk" "$folder" 'set -e; mkdir /opt/guest; tar -C /opt/guest -x
        for image in /opt/guest/*.tar; do ctr -n k8s.io images import "$image"; done
        dpkg --install /opt/guest/agent.deb'
    rm -rf "$stage"
    ;;
run)
    remote "$@"
    ;;
down)
    # Whatever runs in the namespace is the guest's, its control plane's or a connection to it.
    for signal in TERM KILL; do
        for pid in $(ip netns pids "$space" 2>/dev/null); do kill -s $signal "$pid" 2>/dev/null || true; done
        tries=0
        while [ -n "$(ip netns pids "$space" 2>/dev/null)" ] && [ $tries -lt 20 ]; do sleep 0.1; tries=$((tries + 1)); done
    done
    ip netns del "$space" 2>/dev/null || true
    ;;
*)
    sed -n '5,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac
