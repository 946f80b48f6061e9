using System.Text;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Sources;

/// <summary>UIDs that upstream 1.36 gave to these manifests (its own decoder, defaults and hash, run on them in /mnt on node-1).</summary>
public sealed class StaticPodUidTests
{
    private const string Plain = """
        apiVersion: v1
        kind: Pod
        metadata: {name: web, labels: {b: "2", a: "1", B: "3"}}
        spec:
          containers: [{name: main, image: nginx}]
        """;

    private const string Etcd = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: etcd
          namespace: kube-system
          labels: {component: etcd, tier: control-plane}
          annotations:
            kubeadm.kubernetes.io/etcd.advertise-client-urls: https://10.0.0.1:2379
          creationTimestamp: null
        spec:
          hostNetwork: true
          priority: 2000001000
          priorityClassName: system-node-critical
          securityContext:
            seccompProfile: {type: RuntimeDefault}
          containers:
          - name: etcd
            image: registry.k8s.io/etcd:3.5
            command: [etcd, "--name=x"]
            resources: {requests: {cpu: 100m, memory: 100Mi}, limits: {memory: 0.5Gi}}
            ports: [{containerPort: 2379, name: p}]
            livenessProbe:
              httpGet: {host: 127.0.0.1, path: /health, port: 2381, scheme: HTTP}
              failureThreshold: 8
            volumeMounts:
            - {mountPath: /var/lib/etcd, name: data}
          volumes:
          - name: data
            hostPath: {path: /var/lib/etcd, type: DirectoryOrCreate}
        status: {}
        """;

    private const string Probes = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: probes
          namespace: kube-system
          annotations: {}
          ownerReferences: [{apiVersion: v1, kind: Node, name: node-1, uid: u, controller: true}]
          finalizers: [a/b]
        spec:
          restartPolicy: OnFailure
          terminationGracePeriodSeconds: 7
          nodeSelector: {disk: ssd}
          hostAliases: [{ip: 10.1.1.1, hostnames: [a, b]}]
          dnsPolicy: Default
          dnsConfig: {nameservers: [1.1.1.1], searches: [], options: [{name: ndots, value: "2"}, {name: debug}]}
          tolerations: [{operator: Exists}, {key: k, effect: NoExecute, tolerationSeconds: 30}]
          initContainers:
          - name: first
            image: registry.test:5000/a/b@sha256:0123456789012345678901234567890123456789012345678901234567890123
            command: []
            args: ["-c", "it's a \"test\" {x} ünï"]
            restartPolicy: Always
            startupProbe: {exec: {command: [cat, /x]}, periodSeconds: 3, terminationGracePeriodSeconds: 5}
          containers:
          - name: main
            image: localhost/x:latest
            tty: true
            stdin: true
            env:
            - {name: A, value: b}
            - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: C, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
            - {name: D, valueFrom: {resourceFieldRef: {containerName: main, resource: limits.memory}}}
            livenessProbe: {tcpSocket: {port: http}}
            readinessProbe: {grpc: {port: 99}, successThreshold: 2}
            lifecycle:
              preStop: {httpGet: {port: 80, httpHeaders: [{name: H, value: v}]}}
              postStart: {sleep: {seconds: 2}}
            securityContext:
              privileged: true
              runAsUser: 0
              capabilities: {add: [NET_ADMIN], drop: [ALL]}
              seLinuxOptions: {level: "s0:c1"}
              procMount: Default
            ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1, name: http}, {containerPort: 53, protocol: UDP}]
        """;

    private const string Resources = """
        apiVersion: v1
        kind: Pod
        metadata: {name: resources, creationTimestamp: null}
        spec:
          hostNetwork: true
          hostPID: true
          shareProcessNamespace: false
          automountServiceAccountToken: false
          priority: 0
          overhead: {cpu: 10m}
          securityContext: {runAsNonRoot: true, supplementalGroups: [1, 2], sysctls: [{name: kernel.shm_rmid_forced, value: "0"}]}
          containers:
          - {name: a, image: i:1, resources: {limits: {cpu: 1, memory: 1.5Gi}}}
          - {name: b, image: i:1, resources: {limits: {cpu: 0.5, memory: 1e9}, requests: {cpu: "250m"}}}
          - {name: c, image: i:1, resources: {limits: {cpu: "2", memory: 64Mi, ephemeral-storage: 2G, hugepages-2Mi: "0"}, requests: {memory: 0.1Mi, cpu: 1500u}}}
          - {name: d, image: i:1, resources: {limits: {memory: 2Ti, cpu: 1k}, requests: {cpu: 100.1234567m, memory: "123456789012345678"}}}
          - {name: e, image: i:1, resources: {}, ports: [{containerPort: 10}]}
        status: {}
        """;

    private const string Volumes = """
        apiVersion: v1
        kind: Pod
        metadata: {name: volumes}
        spec:
          affinity:
            nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}}
          topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}]
          os: {name: linux}
          volumes:
          - {name: none}
          - {name: memory, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
          - {name: disk, emptyDir: {}}
          - {name: host, hostPath: {path: /x}}
          - {name: down, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.labels}}, {path: b, mode: 256, resourceFieldRef: {containerName: main, resource: requests.cpu}}]}}
          - {name: all, projected: {sources: [{downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.name}}]}}]}}
          - {name: nfs, nfs: {server: s, path: /p, readOnly: true}}
          - {name: csi, csi: {driver: d.test, volumeAttributes: {z: "1", a: "2"}, readOnly: false}}
          - {name: image, image: {reference: r.test/x:1}}
          containers:
          - name: main
            image: i:1
            imagePullPolicy: Never
            terminationMessagePolicy: FallbackToLogsOnError
            volumeMounts:
            - {name: host, mountPath: /a, readOnly: true, mountPropagation: HostToContainer, recursiveReadOnly: Disabled}
            - {name: disk, mountPath: /b, subPathExpr: $(A)}
            resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]
            restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [3]}}]
        """;

    public static TheoryData<string, string, string> Manifests => new()
    {
        { "plain", Plain, "816685d77270b022e148c78620739d2c" },
        { "etcd", Etcd, "2397586ce6ba87063ee3557835a2498c" },
        { "probes", Probes, "2d1c1f22d7b6d1747489c6d144d814dc" },
        { "resources", Resources, "f575661e0491c2f7a6d515383bec036f" },
        { "volumes", Volumes, "88c6c50f4ce749e4df8eff3e02de00b0" },
    };

    [Theory]
    [MemberData(nameof(Manifests))]
    public void A_static_pod_has_the_UID_that_the_Go_kubelet_gives_it(string name, string manifest, string uid)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        Pod pod = StaticPodDecoder.Complete(StaticPodOrigin.File($"/mnt/{name}.yaml"), StaticPodManifest.One(Encoding.UTF8.GetBytes(manifest)), "node-1", DateTimeOffset.UnixEpoch);
        Assert.Equal(uid, pod.Metadata.Uid);
        Assert.Equal(uid, pod.Metadata.Annotations[PodIdentityExtensions.ConfigHashAnnotation]);
    }
}
