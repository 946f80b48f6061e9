#!/bin/sh
# The packet tests in ipvs mode, in a kernel that has ip_vs whatever the host's has: user-mode Linux, a process of this host, some twenty times
# faster than emulation. It works on a copy of the guest's Debian root below $TMPDIR; its network is its own.
# Usage: packets.sh TESTS [WORD...]     (TESTS: the folder of NodeAgent.Proxy.Tests.dll; WORD: only rows with such a word in their name)
# Needs root, the packages user-mode-linux and mmdebstrap, and .NET's runtime. A line for each row; fails where one does.
# $PACKET_LIMIT: seconds for all rows (1800). $PACKET_PATIENCE: seconds for an answer (10). $PACKETS_AT_ONCE: rows at once (4).
set -eu
tests=$1
shift
modules=${UML_MODULES:-/usr/lib/uml/modules} kernel=${UML_KERNEL:-linux.uml}
command -v "$kernel" >/dev/null && [ -d "$modules" ] || { echo "user-mode Linux is not here: apt-get install user-mode-linux" >&2; exit 2; }
[ -e "$tests/NodeAgent.Proxy.Tests.dll" ] || { echo "$tests/NodeAgent.Proxy.Tests.dll is not here: dotnet build tests/Proxy.Tests" >&2; exit 2; }
cache=${NODE_AGENT_GUEST_CACHE:-$HOME/.cache/node-agent-guest}
base=$(for found in "$cache"/root-*/rootfs.tar; do [ ! -e "$found" ] || dirname "$found"; done | head -n 1)
[ -n "$base" ] || { base=$cache/root-packets; sh "$(dirname "$0")/rootfs.sh" "$base"; }

work=$(mktemp -d "${TMPDIR:-/var/tmp}/node-agent-packets.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$base/rootfs.tar"
rm -rf "$root/usr/lib/modules"
cp -a "$modules" "$root/usr/lib/modules"
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
mkdir -p "$root/opt/dotnet/shared"
cp -a "$dotnet/dotnet" "$dotnet/host" "$root/opt/dotnet/"
cp -a "$dotnet/shared/Microsoft.NETCore.App" "$dotnet/shared/Microsoft.AspNetCore.App" "$root/opt/dotnet/shared/"
cp -a "$tests" "$root/opt/packets"
cat >"$root/init-packets" <<INIT
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
ip link set lo up
for module in ip_vs dummy iptable_nat iptable_filter ip6table_nat ip6table_filter; do modprobe \$module; done
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_TieredPGO=0
# Its kernel has no nf_tables.
export NODE_AGENT_PACKET_IPTABLES=legacy NODE_AGENT_PACKET_PATIENCE=${PACKET_PATIENCE:-10}
cd /opt/packets && /opt/dotnet/dotnet NodeAgent.Proxy.Tests.dll ipvs ${PACKETS_AT_ONCE:-4} $*
echo o >/proc/sysrq-trigger
sleep 10
INIT
chmod +x "$root/init-packets"
timeout -k 10 "${PACKET_LIMIT:-1800}" "$kernel" mem=2500M rootfstype=hostfs "rootflags=$root" rw init=/init-packets con=null con0=fd:0,fd:1 quiet \
    </dev/null >"$work/log" 2>&1 || true
grep -a -E '^(passed|failed|rows) ' "$work/log" | tr -d '\r' >"$work/rows" || { cat "$work/log" >&2; exit 1; }
cat "$work/rows"
grep -q -E '^rows [0-9]+ failed 0$' "$work/rows"
