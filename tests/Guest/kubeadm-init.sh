#!/bin/sh
# `kubeadm init` with the agent as its kubelet, in user-mode Linux, which is a process of this host and some twenty
# times faster than emulation: Debian's root and containerd, cgroup v2, images made of the
# programs in $KUBERNETES_BIN and Debian's etcd. The four static pods come up, their mirror pods are Ready, the node is Ready once it has a network
# configuration, kill -9 of the agent restarts no container, an edited manifest makes one pod anew.
# Usage: kubeadm-init.sh AGENT     (AGENT: the published program, as `make publish` makes it)
# Needs root, the packages user-mode-linux, mmdebstrap, etcd-server and busybox-static; $KUBERNETES_BIN: kubeadm, kubectl, kube-*. $INIT_LIMIT: seconds (1500).
set -eu
agent=$1 bin=${KUBERNETES_BIN:?}
. "$(dirname "$0")/uml.sh"
trap 'code=$?; [ -z "${work:-}" ] || if [ $code = 0 ]; then rm -rf "$work"; else echo "kept: $work" >&2; fi' EXIT
uml_root init
install -m 755 "$agent" "$root/usr/bin/node-agent"
install -m 755 "$bin/kubeadm" "$bin/kubectl" "$root/usr/bin/"
mkdir -p "$root/opt/images" "$root/opt/patches" "$root/opt/logs" "$root/etc/containerd"

# An image of files, FILE=PATH each.
image() {
    name=$1
    shift
    rm -rf "$work/image"
    mkdir -p "$work/image/files/tmp"
    for file in "$@"; do install -D -m 755 "${file%%=*}" "$work/image/files/${file#*=}"; done
    tar -C "$work/image/files" --owner=0 --group=0 -cf "$work/image/layer.tar" .
    printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/bin:/bin"],"Entrypoint":["/pause"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(sha256sum "$work/image/layer.tar" | cut -d' ' -f1)" >"$work/image/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$work/image/manifest.json"
    tar -C "$work/image" -cf "$root/opt/images/$(basename "$name" | tr -d :).tar" config.json manifest.json layer.tar
}
cat >"$work/etcd" <<'SH'
#!/bin/sh
# Debian's is older than kubeadm's and does not know these.
for a; do shift; case $a in --feature-gates=* | --watch-progress-notify-interval=*) ;; *) set -- "$@" "$a" ;; esac; done
exec /usr/local/bin/etcd.real "$@"
SH
printf 'int pause(void);\nint main(void) { for (;;) pause(); }\n' | gcc -O2 -static -x c -o "$work/pause" -
version=$("$bin/kube-apiserver" --version | sed 's/.* //')
for name in $("$bin/kubeadm" config images list --kubernetes-version "$version" 2>/dev/null); do
    case $name in
    */kube-proxy:* | */coredns:*) ;;
    */pause:*) sandbox=$name && image "$name" "$work/pause=pause" ;;
    */etcd:*) image "$name" "$work/etcd=usr/local/bin/etcd" "$(command -v etcd)=usr/local/bin/etcd.real" /bin/busybox=bin/sh \
        /lib/x86_64-linux-gnu/libc.so.6=lib/x86_64-linux-gnu/libc.so.6 /lib64/ld-linux-x86-64.so.2=lib64/ld-linux-x86-64.so.2 ;;
    *) program=$(basename "${name%:*}") && image "$name" "$bin/$program=usr/local/bin/$program" ;;
    esac
done

cat >"$root/etc/containerd/config.toml" <<TOML
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$sandbox"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
TOML
for probe in liveness readiness startup; do
    printf '%s{"op":"replace","path":"/spec/containers/0/%sProbe/httpGet/path","value":"/health"}' "$([ $probe = liveness ] && echo '[' || echo ,)" $probe
done >"$root/opt/patches/etcd0+json.json"
echo ']' >>"$root/opt/patches/etcd0+json.json"
cat >"$root/opt/init.yaml" <<YAML
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.2.15, bindPort: 6443}
patches: {directory: /opt/patches}
nodeRegistration: {name: guest1, criSocket: unix:///run/containerd/containerd.sock}
timeouts: {controlPlaneComponentHealthCheck: 15m0s, kubeletHealthCheck: 10m0s, kubernetesAPICall: 5m0s}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: $version
etcd: {local: {extraArgs: [{name: unsafe-no-fsync, value: "true"}, {name: heartbeat-interval, value: "1000"}, {name: election-timeout, value: "10000"}]}}
controllerManager: {extraArgs: [{name: leader-elect, value: "false"}]}
scheduler: {extraArgs: [{name: leader-elect, value: "false"}]}
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
YAML
cat >"$root/init-kubeadm" <<'INIT'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root KUBECONFIG=/etc/kubernetes/admin.conf
mount -t proc proc /proc
mount -t sysfs sys /sys
for folder in /run /tmp /var/lib/containerd /var/lib/kubelet /var/lib/etcd /var/log /etc/kubernetes /etc/cni; do mkdir -p $folder && mount -t tmpfs tmpfs $folder; done
mount --make-rshared /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for module in overlay br_netfilter bridge veth dummy nf_conntrack; do modprobe $module; done
sysctl -qw net.ipv4.ip_forward=1
ip link set lo up
ip link add eth0 type dummy
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
hostname guest1
printf '127.0.0.1 localhost\n10.0.2.15 guest1\n' >/etc/hosts
say() { echo "step $(cut -d. -f1 /proc/uptime) s: $*"; }
off() { [ $# = 0 ] || say "failed: $*"; cat /var/log/pods/*/*/*.log >/opt/logs/pods.log 2>/dev/null; echo o >/proc/sysrq-trigger; sleep 60; }
# Tries again and again, a second between.
until_holds() { for try in $(seq 300); do "$@" && return 0; sleep 1; done; return 1; }
agent() {
    . /var/lib/kubelet/kubeadm-flags.env
    node-agent kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
        --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS >>/opt/logs/agent.log 2>&1 &
    echo $! >/run/agent.pid
}
pods() { kubectl get pods -n kube-system -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.conditions[?(@.type=="Ready")].status} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].containerID}{"\n"}{end}'; }
renewed() { [ "$(kubectl get lease -n kube-node-lease guest1 -o 'jsonpath={.spec.renewTime}')" != "$1" ]; }
anew() { pods >/tmp/after && grep 'kube-scheduler.* True ' /tmp/after >/tmp/one && ! grep -q -F "$(cut -d' ' -f5 /tmp/one)" /tmp/before; }

containerd >/opt/logs/containerd.log 2>&1 &
until_holds ctr version >/dev/null 2>&1 || off containerd
for image in /opt/images/*.tar; do ctr -n k8s.io images import "$image" >/dev/null || off "$image"; done
say images are there
(until [ -s /var/lib/kubelet/config.yaml ] && [ -s /var/lib/kubelet/kubeadm-flags.env ]; do sleep 1; done; agent) &
# No systemd: checks of units, and of modules in a kernel that has no configuration, are left out.
kubeadm init --config /opt/init.yaml --skip-phases=addon --ignore-preflight-errors=all >/opt/logs/kubeadm.log 2>&1 || off kubeadm init
say kubeadm init has ended
mkdir -p /etc/cni/net.d
echo '{"cniVersion": "1.0.0", "name": "bridge", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}' >/etc/cni/net.d/10-bridge.conflist
kubectl wait node/guest1 --for=condition=Ready --timeout=300s || off the node is not Ready
kubectl wait -n kube-system pods --all --for=condition=Ready --timeout=300s || off the static pods are not Ready
pods >/tmp/before
[ "$(grep -c '^\(etcd\|kube-apiserver\|kube-controller-manager\|kube-scheduler\)-guest1 .* True ' /tmp/before)" = 4 ] || off "four static pods: $(cat /tmp/before)"
say four static pods and the node are Ready
renewal=$(kubectl get lease -n kube-node-lease guest1 -o 'jsonpath={.spec.renewTime}')
kill -9 "$(cat /run/agent.pid)"
agent
until_holds renewed "$renewal" || off the lease is not renewed after kill -9
until_holds kubectl get serviceaccount default >/dev/null 2>&1 || off no service account
kubectl run another --image=none.test/none --image-pull-policy=Never --restart=Never --overrides='{"spec":{"tolerations":[{"operator":"Exists"}],"nodeName":"guest1","hostNetwork":true}}' >/dev/null
# The new agent works through pods: it says that this one has no image.
until_holds sh -c "kubectl get pod another -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}' | grep -q ErrImageNeverPull" || off a pod after kill -9
pods >/tmp/after
cmp /tmp/before /tmp/after || off "kill -9 changed the static pods: $(cat /tmp/before /tmp/after)"
say kill -9 of the agent restarted none
sed -i 's/^    - --leader-elect=false$/&\n    - --v=1/' /etc/kubernetes/manifests/kube-scheduler.yaml
until_holds anew || off "the scheduler is not made anew: $(cat /tmp/after)"
grep -v kube-scheduler /tmp/before >/tmp/others
pods | grep -v kube-scheduler | cmp - /tmp/others || off "others changed with the scheduler: $(cat /tmp/after)"
say an edited manifest made its pod alone anew
off
INIT
chmod +x "$root/init-kubeadm"
# Its memory is a file there.
export TMPDIR=/dev/shm
uml_run "${INIT_LIMIT:-1500}" 5000M /init-kubeadm
tr -d '\r' <"$work/log" | grep -a '^step '
grep -a -q '^step .* an edited manifest made its pod alone anew' "$work/log"
