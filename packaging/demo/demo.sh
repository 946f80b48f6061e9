#!/bin/sh
# sudo make demo / demo-down: set-up, build, then the cluster. Own state folder and sockets; a containerd or kubelet of the host is not touched.
set -eu
cd "$(dirname "$0")/../.."
say() { echo "==> $*"; }
fail() { echo "demo: $1" >&2; echo "remedy: $2" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root for containers, mounts and iptables" "sudo make $([ "${1:-up}" = up ] && echo demo || echo demo-down)"
command -v dotnet >/dev/null || fail "the .NET SDK is missing" "install .NET 10: https://dotnet.microsoft.com/download (sudo may hide it: sudo env PATH=\"\$PATH\" make demo)"

if [ "${1:-up}" = up ]; then
  say "install what is missing (apt)"
  tests/set-up.sh || fail "packages could not be installed" "see the lines above; tests/set-up.sh names the packages"
fi
say "build (about a minute the first time)"
dotnet build tests/Demo/Demo.csproj -c Release --nologo -v q -clp:ErrorsOnly || fail "the build failed" "see the errors above"
exec dotnet tests/Demo/bin/Release/net10.0/NodeAgent.Demo.dll "${1:-up}"
