#!/bin/sh
# Makes the guest's Debian 12 root, kernel and initramfs once: rootfs.tar, vmlinuz, initrd in the folder given.
# Usage: rootfs.sh FOLDER     (root, network to a Debian mirror; about two minutes)
set -eu
out=$1
mkdir -p "$out"
[ -s "$out/rootfs.tar" ] && [ -s "$out/vmlinuz" ] && [ -s "$out/initrd" ] && exit 0
work=$(mktemp -d "$out/make.XXXXXX")
trap 'rm -rf "$work"' EXIT

packages=systemd,systemd-sysv,libpam-systemd,dbus,udev,kmod,iproute2,ethtool,socat,iptables,ipset,nftables,conntrack,procps,util-linux,mount
packages=$packages,openssh-server,ca-certificates,containerd,runc,containernetworking-plugins,busybox-static,e2fsprogs

# The kernel is unpacked, not installed: its package would bring initramfs-tools and build an image for every disk there is.
cat >"$work/kernel" <<'HOOK'
#!/bin/sh
set -eu
chroot "$1" sh -euc '
  mkdir /tmp/kernel && cd /tmp/kernel
  package=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/^ *Depends: //p" | head -n 1)
  apt-get download -qq "$package"
  dpkg-deb -x ./*.deb unpacked
  mkdir -p /usr/lib/modules
  mv unpacked/lib/modules/* /usr/lib/modules/
  mv unpacked/boot/vmlinuz-* /boot/vmlinuz
  mv unpacked/boot/config-* /boot/
  cd / && rm -rf /tmp/kernel
  depmod "${package#linux-image-}"'
HOOK
chmod +x "$work/kernel"
mmdebstrap --quiet --mode=root --variant=apt --format=tar --include="$packages" --skip=check/qemu \
    --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$work/kernel" \
    bookworm "$work/rootfs.tar" "${DEBIAN_MIRROR:-deb http://deb.debian.org/debian bookworm main}"

# The initramfs: a busybox that loads what the root disk needs, and mounts it.
mkdir "$work/tree" "$work/initrd"
tar -C "$work/tree" -xf "$work/rootfs.tar"
version=$(ls "$work/tree/usr/lib/modules")
mkdir -p "$work/initrd/bin" "$work/initrd/modules" "$work/initrd/proc" "$work/initrd/sys" "$work/initrd/dev" "$work/initrd/root"
cp "$work/tree/usr/bin/busybox" "$work/initrd/bin/busybox"
: >"$work/initrd/modules/order"
for module in virtio_pci virtio_blk ext4; do
    chroot "$work/tree" modprobe -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p' | while read -r file; do
        name=$(basename "$file")
        [ -e "$work/initrd/modules/$name" ] && continue
        cp "$work/tree$file" "$work/initrd/modules/$name"
        echo "$name" >>"$work/initrd/modules/order"
    done
done
cat >"$work/initrd/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done </modules/order
tries=0
until [ -b /dev/vda ] || [ $tries -ge 100 ]; do /bin/busybox usleep 100000; tries=$((tries + 1)); done
/bin/busybox mount -t ext4 /dev/vda /root || exec /bin/busybox sh
/bin/busybox umount /proc /sys
exec /bin/busybox switch_root /root /sbin/init
INIT
chmod +x "$work/initrd/init"
(cd "$work/initrd" && find . | "$work/tree/usr/bin/busybox" cpio -o -H newc | gzip -1) >"$out/initrd.part"
cp "$work/tree/boot/vmlinuz" "$out/vmlinuz.part"
mv "$out/vmlinuz.part" "$out/vmlinuz"
mv "$out/initrd.part" "$out/initrd"
mv "$work/rootfs.tar" "$out/rootfs.tar"
