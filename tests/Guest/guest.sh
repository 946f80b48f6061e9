#!/bin/sh
# Boots the guest in software emulation, and talks to it over ssh.
# Usage: guest.sh start|stop|wait CACHE FOLDER    guest.sh run FOLDER COMMAND...
set -eu
port=${GUEST_SSH_PORT:-32222}
remote() {
    folder=$1
    shift
    ssh -i "$folder/key" -p "$port" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 "$@"
}
case $1 in
start)
    # -no-reboot is absent on purpose: the guest reboots. A disk of its own, so writes need not reach the host's platters.
    setsid qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "${GUEST_CPUS:-2}" -m "${GUEST_MEMORY:-2048}" -nodefaults -nographic \
        -kernel "$2/vmlinuz" -initrd "$2/initrd" -append "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off systemd.show_status=0" \
        -drive "file=$3/disk.img,if=virtio,format=raw,cache=unsafe" -netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n \
        -device virtio-rng-pci -serial "file:$3/console.log" >"$3/qemu.log" 2>&1 </dev/null &
    echo $! >"$3/qemu.pid"
    ;;
wait)
    tries=0
    until remote "$3" true 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 120 ] && kill -0 "$(cat "$3/qemu.pid")" || { echo "the guest did not come up: $3/console.log, $3/qemu.log" >&2; exit 1; }
        sleep 1
    done
    ;;
run)
    shift
    remote "$@"
    ;;
stop)
    [ ! -e "$3/qemu.pid" ] || kill "$(cat "$3/qemu.pid")" 2>/dev/null || true
    rm -f "$3/qemu.pid"
    ;;
*)
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
    ;;
esac
