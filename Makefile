# Set-up needs only the .NET 10 SDK. The version of the packages comes from Directory.Build.props.
DOTNET ?= dotnet
RID ?= linux-x64
CONFIGURATION ?= Release
# NATIVE_AOT=true compiles ahead of time as a whole, where the runtime pack is to be had.
NATIVE_AOT ?= false
OUTPUT ?= out/$(RID)
VERSION := $(shell sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
DEB_ARCH = $(if $(filter linux-arm64,$(RID)),arm64,amd64)

.PHONY: build test test-unit test-guest test-ipvs test-init soak demo demo-down conformance bench bench-quick bench-services bench-traffic format publish deb clean

## build: everything, warnings are errors
build:
	$(DOTNET) build NodeAgent.sln -c $(CONFIGURATION) --nologo

## test: set-up, then unit, component and end-to-end tests (root for the latter)
test:
	tests/set-up.sh
	tests/run-all.sh

## test-unit: tests that need neither root nor network
test-unit:
	tests/run-all.sh 'FullyQualifiedName!~EndToEnd&Category!=Root'

## test-guest: kubeadm join, watchdog, reboot … in a Debian guest under qemu (sudo; KUBERNETES_BIN has Kubernetes' programs)
test-guest:
	$(DOTNET) test tests/Guest.Tests/Guest.Tests.csproj -c $(CONFIGURATION) --nologo --logger "console;verbosity=normal"

## test-ipvs: the packet tests in ipvs mode, in user-mode Linux where there is no ip_vs (sudo; WORDS chooses rows)
test-ipvs:
	$(DOTNET) build tests/Proxy.Tests/Proxy.Tests.csproj -c $(CONFIGURATION) --nologo -v q
	tests/Guest/packets.sh tests/Proxy.Tests/bin/$(CONFIGURATION)/net10.0 $(WORDS)

## test-init: kubeadm init with the agent as its kubelet, in user-mode Linux: no systemd, preflight errors ignored, no add-ons, no part of test (sudo; KUBERNETES_BIN)
test-init: $(if $(NODE_AGENT_BINARY),,publish)
	tests/Guest/kubeadm-init.sh $(or $(NODE_AGENT_BINARY),$(OUTPUT)/node-agent)

## soak: half an hour of everything that happens to a node, from a seed (sudo; SOAK is its length in seconds)
soak:
	NODE_AGENT_E2E_SOAK=$(or $(SOAK),1800) $(DOTNET) test tests/EndToEnd/EndToEnd.csproj -c $(CONFIGURATION) --nologo --logger "console;verbosity=normal" --filter FullyQualifiedName~Soak

## demo: a cluster of one node on this machine with an application on its NodePort (sudo)
demo:
	packaging/demo/demo.sh up

## demo-down: takes the demo down and puts the host back (sudo)
demo-down:
	packaging/demo/demo.sh down

## conformance: Kubernetes' own e2e suite against a node of ours; FOCUS chooses (sudo; needs ginkgo, e2e.test, kubectl and images)
conformance:
	tests/conformance.sh

## bench: pods on one node by this agent, by the Go kubelet where $KUBERNETES_BIN has it, and by CRI calls alone (sudo; half an hour)
bench: publish
	$(DOTNET) build bench/Bench/Bench.csproj -c $(CONFIGURATION) --nologo -v q
	NODE_AGENT_BINARY=$(CURDIR)/$(OUTPUT)/node-agent $(DOTNET) bench/Bench/bin/$(CONFIGURATION)/net10.0/Bench.dll pods --json out/bench-pods.json $(BENCH)

## bench-quick: the same with 30 pods and one run
bench-quick:
	$(MAKE) bench BENCH="--pods 30 --runs 1 --single 3 --rest 10"

## bench-services: Services by this agent's proxy and by the Go kube-proxy in turn, iptables and nftables mode, in namespaces (sudo; 20 minutes)
bench-services: publish
	$(DOTNET) build bench/Bench/Bench.csproj -c $(CONFIGURATION) --nologo -v q
	NODE_AGENT_BINARY=$(CURDIR)/$(OUTPUT)/node-agent $(DOTNET) bench/Bench/bin/$(CONFIGURATION)/net10.0/Bench.dll services --json out/bench-services.json $(BENCH)

## bench-traffic: connections that fail while endpoints change 10,000 times, proxies are killed and others flush rules; ours beside the Go kube-proxy (sudo; 20 minutes)
bench-traffic: publish
	$(DOTNET) build bench/Bench/Bench.csproj -c $(CONFIGURATION) --nologo -v q
	NODE_AGENT_BINARY=$(CURDIR)/$(OUTPUT)/node-agent $(DOTNET) bench/Bench/bin/$(CONFIGURATION)/net10.0/Bench.dll traffic $(BENCH)

## format: fails where the layout of a file is not that of .editorconfig
format:
	$(DOTNET) format NodeAgent.sln --verify-no-changes --no-restore

## publish: one self-contained file for RID (linux-x64, linux-arm64)
publish:
	$(DOTNET) publish src/NodeAgent/NodeAgent.csproj -c Release -r $(RID) -p:NativeAot=$(NATIVE_AOT) -o $(OUTPUT) --nologo

## deb: a Debian package of what publish made
deb: publish
	packaging/deb/build.sh $(OUTPUT)/node-agent $(VERSION) $(DEB_ARCH) out

clean:
	rm -rf out
