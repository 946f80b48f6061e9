#!/usr/bin/env bash
# Installs what the tests use of Debian's packages. Anything missing makes the tests that need it skip, with the reason.
set -u
packages=(containerd runc containernetworking-plugins iptables conntrack etcd-server busybox-static gcc libc6-dev openssl iproute2 procps)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "set-up: not installed and not installable here: ${missing[*]} (run as root on Debian)"
  exit 0
fi
echo "set-up: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Debian starts the services of packages as it installs them; nothing of the host shall run because of tests.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || echo "set-up: some packages could not be installed; the tests that need them are skipped"
