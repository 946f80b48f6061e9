#!/bin/sh
# Boots the guest in software emulation inside a network namespace, and talks to it over ssh. The guest is 10.0.2.15, the namespace 10.0.2.2:
# the control plane runs there too, and nothing of either meets the host's ports and addresses.
# Usage: guest.sh up|boot|wait|down NAMESPACE CACHE FOLDER    guest.sh run NAMESPACE FOLDER COMMAND...
set -eu
action=$1 space=$2
shift 2
remote() {
    folder=$1
    shift
    ip netns exec "$space" ssh -i "$folder/key" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR root@10.0.2.15 "$@"
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
    ip netns exec "$space" setsid qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "${GUEST_CPUS:-2}" -m "${GUEST_MEMORY:-2048}" -nodefaults -nographic \
        -kernel "$1/vmlinuz" -initrd "$1/initrd" -append "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off systemd.show_status=0" \
        -drive "file=$2/disk.img,if=virtio,format=raw,cache=unsafe" -netdev tap,id=n,ifname=guest0,script=no,downscript=no -device virtio-net-pci,netdev=n \
        -device virtio-rng-pci -serial "file:$2/console.log" >"$2/qemu.log" 2>&1 </dev/null &
    echo $! >"$2/qemu.pid"
    ;;
wait)
    tries=0
    until remote "$2" true 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 180 ] && kill -0 "$(cat "$2/qemu.pid")" || { echo "the guest did not come up: $2/console.log, $2/qemu.log" >&2; exit 1; }
        sleep 1
    done
    ;;
run)
    remote "$@"
    ;;
down)
    [ ! -e "$2/qemu.pid" ] || kill "$(cat "$2/qemu.pid")" 2>/dev/null || true
    rm -f "$2/qemu.pid"
    ip netns del "$space" 2>/dev/null || true
    ;;
*)
    sed -n '4s/^# //p' "$0" >&2
    exit 2
    ;;
esac
