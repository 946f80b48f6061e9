#!/bin/sh
# Makes node-agent_VERSION_ARCH.deb from a published executable. Usage: build.sh EXECUTABLE VERSION ARCH OUTPUT-FOLDER
set -eu
[ $# -eq 4 ] || { echo "usage: $0 EXECUTABLE VERSION ARCH OUTPUT-FOLDER" >&2; exit 2; }
executable=$1 version=$2 arch=$3 output=$4
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 0755 "$root"
install -D -m 0755 "$executable" "$root/usr/bin/node-agent"
ln -s node-agent "$root/usr/bin/kubelet"
ln -s node-agent "$root/usr/bin/kube-proxy"
install -D -m 0644 "$here/../../kubelet.service" "$root/usr/lib/systemd/system/kubelet.service"
install -D -m 0644 "$here/../systemd/10-kubeadm.conf" "$root/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
install -D -m 0644 "$here/../systemd/20-run-both.conf" "$root/usr/share/doc/node-agent/20-run-both.conf"
install -D -m 0644 "$here/../../LICENSE" "$root/usr/share/doc/node-agent/copyright"
mkdir -p "$root/DEBIAN" "$root/etc/kubernetes/manifests"
cat > "$root/DEBIAN/control" <<CONTROL
Package: node-agent
Version: $version
Architecture: $arch
Maintainer: NodeAgent maintainers <maintainers@node-agent.invalid>
Section: admin
Priority: optional
Depends: iptables, mount, util-linux, kmod, conntrack
Recommends: containerd | cri-o
Provides: kubelet
Conflicts: kubelet
Replaces: kubelet
Description: Kubernetes node agent: kubelet and kube-proxy in one executable
 A drop-in for the Go kubelet and kube-proxy: same flags, configuration files,
 paths and ports.
CONTROL
cat > "$root/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable kubelet.service
fi
POSTINST
cat > "$root/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
# Pods go on running; an upgrade restarts the agent only.
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now kubelet.service
fi
PRERM
chmod 0755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm"
mkdir -p "$output"
dpkg-deb --root-owner-group --build "$root" "$output/node-agent_${version}_${arch}.deb"
