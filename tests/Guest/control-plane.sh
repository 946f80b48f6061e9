#!/bin/sh
# A control plane for the guest on this host: what `kubeadm init` sets up, its processes run here instead of as static pods.
# Usage: ip netns exec NAMESPACE control-plane.sh up|down FOLDER
#        ($KUBERNETES_BIN: kubeadm, kubectl, kube-apiserver, kube-controller-manager, kube-scheduler; etcd on PATH)
# Leaves FOLDER/super-admin.conf and FOLDER/join (the arguments for `kubeadm join`).
set -eu
action=$1 folder=$2
host=10.0.2.2
pki=$folder/pki bin=${KUBERNETES_BIN:?}

down() {
    for pid in "$folder"/control-plane/*.pid; do
        [ -e "$pid" ] || continue
        kill "$(cat "$pid")" 2>/dev/null || true
        rm -f "$pid"
    done
}
[ "$action" = up ] || { down; exit 0; }
trap 'test $? = 0 || down' EXIT
mkdir -p "$folder/logs" "$folder/control-plane"
export no_proxy='*' NO_PROXY='*'
start() {
    name=$1
    shift
    setsid "$@" >"$folder/logs/$name.log" 2>&1 </dev/null &
    echo $! >"$folder/control-plane/$name.pid"
}

cat >"$folder/kubeadm.yaml" <<YAML
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: $host, bindPort: 6443}
nodeRegistration: {name: host, criSocket: unix:///run/containerd/containerd.sock}
bootstrapTokens: [{token: guest0.0123456789abcdef, ttl: 2h0m0s, usages: [signing, authentication], groups: ["system:bootstrappers:kubeadm:default-node-token"]}]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: $("$bin/kube-apiserver" --version | sed 's/.* //')
certificatesDir: $pki
controlPlaneEndpoint: $host:6443
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
authentication: {x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}}
serverTLSBootstrap: true
YAML
kubeadm() { "$bin/kubeadm" "$@" --config "$folder/kubeadm.yaml" >>"$folder/logs/kubeadm.log" 2>&1; }
kubeadm init phase certs all
for name in super-admin controller-manager scheduler; do kubeadm init phase kubeconfig "$name" --kubeconfig-dir "$folder"; done

start etcd etcd --data-dir "$folder/etcd" --unsafe-no-fsync
# The kubelet's serving certificate is checked against the cluster's authority, so that only one it signed will do.
start apiserver "$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 "--advertise-address=$host" \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true \
    --kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" --kubelet-client-key="$pki/apiserver-kubelet-client.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP
export KUBECONFIG="$folder/super-admin.conf"
tries=0
until "$bin/kubectl" get --raw /readyz >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || { echo "the API server did not become ready: $folder/logs/apiserver.log" >&2; exit 1; }
    sleep 1
done
start controller-manager "$bin/kube-controller-manager" --kubeconfig="$folder/controller-manager.conf" --authentication-kubeconfig="$folder/controller-manager.conf" \
    --authorization-kubeconfig="$folder/controller-manager.conf" --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" --use-service-account-credentials --allocate-node-cidrs \
    --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=10.96.0.0/16 --leader-elect=false --controllers='*,bootstrapsigner,tokencleaner'
start scheduler "$bin/kube-scheduler" --kubeconfig="$folder/scheduler.conf" --authentication-kubeconfig="$folder/scheduler.conf" \
    --authorization-kubeconfig="$folder/scheduler.conf" --leader-elect=false
kubeadm init phase upload-config kubeadm --kubeconfig "$KUBECONFIG"
kubeadm init phase upload-config kubelet --kubeconfig "$KUBECONFIG"
kubeadm init phase bootstrap-token --kubeconfig "$KUBECONFIG"
hash=$(openssl x509 -pubkey -in "$pki/ca.crt" -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -hex | sed 's/.* //')
echo "$host:6443 --token guest0.0123456789abcdef --discovery-token-ca-cert-hash sha256:$hash" >"$folder/join"
