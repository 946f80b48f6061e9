#!/bin/sh
# The packet tests in ipvs mode, in a kernel that has ip_vs whatever the host's has: user-mode Linux, a process of this host, some twenty times
# faster than emulation. It works on a copy of the guest's Debian root below $TMPDIR; its network is its own.
# Usage: packets.sh TESTS [WORD...]     (TESTS: the folder of NodeAgent.Proxy.Tests.dll; WORD: only rows with such a word in their name)
# Needs root, the packages user-mode-linux and mmdebstrap, and .NET's runtime. A line for each row; fails where one does.
# $PACKET_LIMIT: seconds for all rows (1800). $PACKET_PATIENCE: seconds for an answer (10). $PACKETS_AT_ONCE: rows at once (4).
set -eu
tests=$1
shift
[ -e "$tests/NodeAgent.Proxy.Tests.dll" ] || { echo "$tests/NodeAgent.Proxy.Tests.dll is not here: dotnet build tests/Proxy.Tests" >&2; exit 2; }
. "$(dirname "$0")/uml.sh"
trap '[ -z "${work:-}" ] || rm -rf "$work"' EXIT
uml_root packets
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
uml_run "${PACKET_LIMIT:-1800}" 2500M /init-packets
grep -a -E '^(passed|failed|rows) ' "$work/log" | tr -d '\r' >"$work/rows" || { cat "$work/log" >&2; exit 1; }
cat "$work/rows"
grep -q -E '^rows [1-9][0-9]* failed 0$' "$work/rows"
