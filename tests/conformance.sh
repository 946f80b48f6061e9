#!/usr/bin/env bash
# Runs Kubernetes' own e2e suite against a node of ours: ginkgo, e2e.test and kubectl from $KUBERNETES_BIN or PATH, images from
# $CONFORMANCE_IMAGES (a folder of image archives; without it the suite wants a registry). FOCUS and SKIP are regular expressions.
set -u
cd "$(dirname "$0")/.."
find_program() { for folder in "${KUBERNETES_BIN:-}" $(tr : ' ' <<<"$PATH"); do [ -x "$folder/$1" ] && { echo "$folder/$1"; return; }; done; }
for program in ginkgo e2e.test kubectl kube-apiserver; do
  [ -n "$(find_program $program)" ] || { echo "conformance: $program not found in \$KUBERNETES_BIN or PATH: set KUBERNETES_BIN to a folder with the v1.36 test binaries"; exit 1; }
done
folder=/var/tmp/node-agent-conformance
export NODE_AGENT_DEMO_FOLDER=$folder NODE_AGENT_E2E_CONTROL_PLANE=real
dotnet build tests/Demo/Demo.csproj -c Release --nologo -v q -clp:ErrorsOnly || exit 1
demo=tests/Demo/bin/Release/net10.0/NodeAgent.Demo.dll
trap 'dotnet $demo down' EXIT
dotnet $demo up || exit 1
for image in ${CONFORMANCE_IMAGES:+"$CONFORMANCE_IMAGES"/*.tar}; do ctr --address $folder/containerd.sock -n k8s.io images import "$image" >/dev/null || exit 1; done
results=${RESULTS:-out/conformance}
mkdir -p "$results"
"$(find_program ginkgo)" --procs="${PROCS:-5}" --timeout=3h --no-color \
  --focus="${FOCUS:-\[sig-node\].*\[Conformance\]|\[sig-network\].*\[Conformance\]}" \
  --skip="${SKIP:-\[Serial\]|\[Disruptive\]|\[Slow\]}" "$(find_program e2e.test)" -- \
  --kubeconfig=$folder/pki/admin.conf --provider=local --num-nodes=1 --report-dir="$results" --kubectl-path="$(find_program kubectl)" \
  >"$results/log" 2>&1
code=$?
grep -aE '^(Ran|FAIL!|SUCCESS!) ' "$results/log" | tail -2
exit $code
