#!/bin/sh
# Makes a guest's disk once: the Debian root plus the host's settings, kubeadm and a key to log in with. A guest writes beside it (guest.sh), so
# that one disk serves every run; the agent's package is installed in the running guest.
# Usage: disk.sh ROOT FOLDER     (ROOT: what rootfs.sh made; $KUBERNETES_BIN: kubeadm)
# Leaves FOLDER/disk.img, FOLDER/key.
set -eu
cache=$1 folder=$2
[ -s "$folder/disk.img" ] && exit 0
name=${GUEST_NAME:-guest1}
mkdir -p -m 700 "$folder"
root=$(mktemp -d "$folder/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
tar -C "$root" -xf "$cache/rootfs.tar"

echo "$name" >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$name" >"$root/etc/hosts"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
rm -f "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
mkdir -p "$root/etc/systemd/network" "$root/etc/systemd/system/multi-user.target.wants"
printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$root/etc/systemd/network/eth0.network"
ln -sf /lib/systemd/system/systemd-networkd.service "$root/etc/systemd/system/multi-user.target.wants/"
printf 'overlay\nbr_netfilter\n' >"$root/etc/modules-load.d/kubernetes.conf"
printf 'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n' >"$root/etc/sysctl.d/99-kubernetes.conf"
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=persistent\n' >"$root/etc/systemd/journald.conf.d/guest.conf"

# An emulated processor is some twenty times slower than the host's, and the host may be busy.
mkdir -p "$root/etc/systemd/system/kubelet.service.d"
printf '[Service]\nTimeoutStartSec=300\n' >"$root/etc/systemd/system/kubelet.service.d/50-emulated.conf"

[ -e "$folder/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
mkdir -p -m 700 "$root/root/.ssh"
cp "$folder/key.pub" "$root/root/.ssh/authorized_keys"
# One key of the host is enough, and it is made here: making it in the guest costs seconds of its start.
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\nPermitRootLogin prohibit-password\nUsePAM no\n' >"$root/etc/ssh/sshd_config.d/guest.conf"

cat >"$root/etc/containerd/config.toml" <<TOML
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "node-agent.test/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
TOML
mkdir -p "$root/etc/cni/net.d"
cat >"$root/etc/cni/net.d/10-bridge.conflist" <<'JSON'
{"cniVersion": "1.0.0", "name": "bridge", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON

install -m 755 "${KUBERNETES_BIN:?}/kubeadm" "$root/usr/bin/kubeadm"
rm -f "$folder/disk.part"
mke2fs -q -F -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$folder/disk.part" 6G
mv "$folder/disk.part" "$folder/disk.img"
