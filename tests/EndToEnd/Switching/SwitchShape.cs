using NodeAgent.Harness.Cluster;
using NodeAgent.Images;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>What becomes of a pod whose node changes hands.</summary>
internal enum SwitchKind
{
    /// <summary>Runs and is Ready.</summary>
    Steady,

    /// <summary>Runs and is not Ready: something of its own keeps it from that.</summary>
    Unready,

    /// <summary>Has ended for good.</summary>
    Ended,

    /// <summary>Is started again and again.</summary>
    Looping,

    /// <summary>Waits for something that is not there.</summary>
    Waiting,
}

/// <summary>One pod of the node that changes hands.</summary>
/// <param name="Name">The pod's name.</param>
/// <param name="Kind">What becomes of it.</param>
/// <param name="Spec">Its spec without containers, as JSON members; empty for none.</param>
/// <param name="Containers">Its containers.</param>
internal sealed record SwitchShape(string Name, SwitchKind Kind, string Spec, string Containers)
{
    private const string Waits = "trap 'exit 0' TERM; sleep 100000 & wait";
    private const string Shared = "\"volumeMounts\":[{\"name\":\"shared\",\"mountPath\":\"/shared\"}]";
    private const string SharedVolume = "\"volumes\":[{\"name\":\"shared\",\"emptyDir\":{}}]";

    /// <summary>The pod that is resized after it has started.</summary>
    internal const string Resized = "resized";

    /// <summary>The pod that gets an ephemeral container after it has started.</summary>
    internal const string Debugged = "debugged";

    /// <summary>The pod whose container ends each time.</summary>
    internal const string Looping = "looping";

    /// <summary>The pod whose container was restarted once before it stayed.</summary>
    internal const string Restarted = "restarted";

    /// <summary>Pods of every shape. The namespace has the ConfigMap "settings" and the Secret "keys".</summary>
    /// <param name="hostFolder">A folder of the host with the file "file".</param>
    internal static IReadOnlyList<SwitchShape> All(string hostFolder) =>
    [
        .. Lifecycles(), .. Volumes(hostFolder), .. Probed(), .. Isolated(), .. Sized(),
        new("ended-well", SwitchKind.Ended, Brief("Never"), Shell("echo done")),
        new("ended-badly", SwitchKind.Ended, Brief("Never"), Shell("echo reason >/dev/termination-log; exit 3")),
        new("ended-late", SwitchKind.Ended, Brief("OnFailure") + "," + SharedVolume, Shell("test -e /shared/tried && exit 0; touch /shared/tried; exit 1", Shared)),
        new("overdue", SwitchKind.Ended, Brief("Never") + ",\"activeDeadlineSeconds\":2", Shell(Waits)),
        new(Looping, SwitchKind.Looping, Brief(), Shell("exit 1")),
        new("imageless", SwitchKind.Waiting, Brief(), """{"name":"main","image":"nowhere.test/none:1","imagePullPolicy":"Never"}"""),
        new("mapless", SwitchKind.Waiting, Brief(), Shell(Waits, "\"envFrom\":[{\"configMapRef\":{\"name\":\"absent\"}}]")),
        new("gated", SwitchKind.Unready, Brief() + ",\"readinessGates\":[{\"conditionType\":\"example.com/gate\"}]", Shell(Waits)),
        new("not-ready", SwitchKind.Unready, Brief(), Shell(Waits, "\"readinessProbe\":{\"exec\":{\"command\":[\"false\"]},\"periodSeconds\":1}")),
        // Not here: a container whose startup probe never passes. The Go kubelet takes it for started when it has been restarted itself.
    ];

    private static IEnumerable<SwitchShape> Lifecycles() =>
    [
        new("plain", SwitchKind.Steady, Brief(), Shell(Waits)),
        new("two", SwitchKind.Steady, Brief(), $"{Shell(Waits)},{Shell(Waits, name: "other")}"),
        new(Restarted, SwitchKind.Steady, Brief() + "," + SharedVolume, Shell($"test -e /shared/tried || {{ touch /shared/tried; exit 1; }}; {Waits}", Shared)),
        new("initialised", SwitchKind.Steady, $"{Brief()},{SharedVolume},\"initContainers\":[{Shell("echo a >/shared/a", Shared, "first")},{Shell("test -e /shared/a", Shared, "second")}]", Shell(Waits, Shared)),
        new("sidecars", SwitchKind.Steady, $$"""
            {{Brief()}},{{SharedVolume}},"initContainers":[{{Shell("echo a >/shared/a", Shared, "first")}},
             {{Shell(Waits, Shared + ",\"restartPolicy\":\"Always\",\"startupProbe\":{\"exec\":{\"command\":[\"true\"]},\"periodSeconds\":1}", "beside")}},
             {{Shell("test -e /shared/a", Shared, "second")}},{{Shell(Waits, "\"restartPolicy\":\"Always\",\"readinessProbe\":{\"exec\":{\"command\":[\"true\"]},\"periodSeconds\":1}", "near")}}]
            """, Shell(Waits)),
        new("half-ended", SwitchKind.Unready, Brief("Never"), $"{Shell("exit 0", name: "brief")},{Shell(Waits)}"),
        new("hooked", SwitchKind.Steady, Brief(), Shell(Waits, """
            "lifecycle":{"postStart":{"exec":{"command":["true"]} },"preStop":{"sleep":{"seconds":1} } },"terminationMessagePolicy":"FallbackToLogsOnError","terminationMessagePath":"/tmp/last"
            """)),
        new("ruled", SwitchKind.Steady, Brief("Never") + "," + SharedVolume, Shell($"test -e /shared/tried || {{ touch /shared/tried; exit 42; }}; {Waits}",
            Shared + ",\"restartPolicy\":\"Never\",\"restartPolicyRules\":[{\"action\":\"Restart\",\"exitCodes\":{\"operator\":\"In\",\"values\":[42]}}]")),
        new("dated", SwitchKind.Steady, Brief() + ",\"activeDeadlineSeconds\":3600", Shell(Waits)),
        new("terminal", SwitchKind.Steady, Brief(), Shell(Waits, "\"stdin\":true,\"tty\":true,\"workingDir\":\"/tmp\"")),
        new(Debugged, SwitchKind.Steady, Brief(), Shell(Waits)),
    ];

    private static IEnumerable<SwitchShape> Volumes(string hostFolder) =>
    [
        new("emptied", SwitchKind.Steady, $$"""
            {{Brief()}},"volumes":[{"name":"disk","emptyDir":{"sizeLimit":"50Mi"} },{"name":"memory","emptyDir":{"medium":"Memory","sizeLimit":"4Mi"} }]
            """, Shell($"echo a >/disk/a; echo b >/memory/b; {Waits}", Mounts("disk", "memory"))),
        new("parted", SwitchKind.Steady, Brief() + "," + SharedVolume, Shell(Waits, """
            "env":[{"name":"NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"} } }],
            "volumeMounts":[{"name":"shared","mountPath":"/fixed","subPath":"a/b"},{"name":"shared","mountPath":"/named","subPathExpr":"c/$(NAME)"}]
            """)),
        new("mapped", SwitchKind.Steady, Brief() + ",\"volumes\":[{\"name\":\"map\",\"configMap\":{\"name\":\"settings\",\"defaultMode\":288}},{\"name\":\"one\",\"configMap\":{\"name\":\"settings\",\"items\":[{\"key\":\"mode\",\"path\":\"deep/mode\",\"mode\":256}]}}]",
            Shell(Waits, """
            "volumeMounts":[{"name":"map","mountPath":"/map"},{"name":"one","mountPath":"/one"},{"name":"map","mountPath":"/file","subPath":"mode"}],
            "env":[{"name":"MODE","valueFrom":{"configMapKeyRef":{"name":"settings","key":"mode"} } },{"name":"BOTH","value":"$(MODE)-$(NAME)"},{"name":"NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"} } },
             {"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"} } }],"envFrom":[{"prefix":"P_","configMapRef":{"name":"settings"} },{"secretRef":{"name":"keys"} }]
            """)),
        new("secret", SwitchKind.Steady, Brief() + ",\"securityContext\":{\"fsGroup\":2000},\"volumes\":[{\"name\":\"keys\",\"secret\":{\"secretName\":\"keys\"}}]", Shell(Waits, Mounts("keys"))),
        new("projected", SwitchKind.Steady, Brief() + """
            ,"volumes":[{"name":"all","projected":{"sources":[{"configMap":{"name":"settings"} },{"secret":{"name":"keys"} },
             {"downwardAPI":{"items":[{"path":"name","fieldRef":{"fieldPath":"metadata.name"} },{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"} }]} }]} }]
            """, Shell(Waits, Mounts("all"))),
        new("token", SwitchKind.Steady, Brief() + ",\"volumes\":[{\"name\":\"token\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"path\":\"token\",\"audience\":\"here\",\"expirationSeconds\":3600}}]}}]", Shell(Waits, Mounts("token"))),
        new("downward", SwitchKind.Steady, Brief() + """
            ,"volumes":[{"name":"down","downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"} },
             {"path":"memory","resourceFieldRef":{"containerName":"main","resource":"limits.memory","divisor":"1Mi"} }]} }]
            """, Shell(Waits, Mounts("down"))),
        new("hosted", SwitchKind.Steady, $$"""
            {{Brief()}},"volumes":[{"name":"folder","hostPath":{"path":"{{hostFolder}}","type":"Directory"} },{"name":"made","hostPath":{"path":"{{hostFolder}}/made","type":"DirectoryOrCreate"} }]
            """, Shell(Waits, "\"volumeMounts\":[{\"name\":\"folder\",\"mountPath\":\"/folder\",\"readOnly\":true},{\"name\":\"folder\",\"mountPath\":\"/file\",\"subPath\":\"file\"},{\"name\":\"made\",\"mountPath\":\"/made\"}]")),
    ];

    private static IEnumerable<SwitchShape> Probed() =>
    [
        new("probed", SwitchKind.Steady, Brief(), $$"""
            {"name":"main","image":"{{TestImages.Hello}}","imagePullPolicy":"Never","ports":[{"name":"http","containerPort":8080,"hostPort":18443}],
             "startupProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":1,"failureThreshold":60},
             "readinessProbe":{"tcpSocket":{"port":"http"},"periodSeconds":1,"timeoutSeconds":20},"livenessProbe":{"httpGet":{"path":"/","port":8080},"periodSeconds":2,"timeoutSeconds":20} }
            """),
        new("checked", SwitchKind.Steady, Brief(), Shell(Waits, """
            "readinessProbe":{"exec":{"command":["true"]},"periodSeconds":1,"timeoutSeconds":20},"livenessProbe":{"exec":{"command":["true"]},"periodSeconds":1,"timeoutSeconds":20,"initialDelaySeconds":1}
            """)),
    ];

    private static IEnumerable<SwitchShape> Isolated() =>
    [
        new("on-host", SwitchKind.Steady, Brief() + ",\"hostNetwork\":true,\"hostPID\":true,\"hostIPC\":true,\"dnsPolicy\":\"ClusterFirstWithHostNet\"", Shell(Waits)),
        new("in-one", SwitchKind.Steady, Brief() + ",\"shareProcessNamespace\":true", $"{Shell(Waits)},{Shell(Waits, name: "other")}"),
        new("named", SwitchKind.Steady, Brief() + """
            ,"hostname":"one","subdomain":"sub","setHostnameAsFQDN":true,"hostAliases":[{"ip":"10.1.2.3","hostnames":["a.test","b.test"]}],
             "dnsPolicy":"None","dnsConfig":{"nameservers":["10.9.9.9"],"searches":["a.test"],"options":[{"name":"ndots","value":"2"}]},"enableServiceLinks":false,"automountServiceAccountToken":false
            """, Shell(Waits)),
        new("confined", SwitchKind.Steady, Brief() + ",\"securityContext\":{\"runAsUser\":1000,\"runAsGroup\":3000,\"fsGroup\":2000,\"supplementalGroups\":[4000],\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},\"volumes\":[{\"name\":\"shared\",\"emptyDir\":{}}]",
            Shell(Waits, Shared + ",\"securityContext\":{\"readOnlyRootFilesystem\":true,\"allowPrivilegeEscalation\":false,\"runAsNonRoot\":true,\"capabilities\":{\"drop\":[\"ALL\"],\"add\":[\"NET_BIND_SERVICE\"]}}")),
        new("privileged", SwitchKind.Steady, Brief(), Shell(Waits, "\"securityContext\":{\"privileged\":true}")),
    ];

    private static IEnumerable<SwitchShape> Sized() =>
    [
        new("guaranteed", SwitchKind.Steady, Brief(), Shell(Waits, Resources("50m", "16Mi", "50m", "16Mi"))),
        new("burstable", SwitchKind.Steady, Brief(), Shell(Waits, Resources("10m", "8Mi", "200m", "64Mi"))),
        new("whole", SwitchKind.Steady, Brief() + "," + Resources("20m", "32Mi", "200m", "64Mi"), $"{Shell(Waits, Resources("10m", "8Mi", "100m", "32Mi"))},{Shell(Waits, name: "other")}"),
        new(Resized, SwitchKind.Steady, Brief(), Shell(Waits, Resources("50m", "16Mi", "100m", "32Mi") + ",\"resizePolicy\":[{\"resourceName\":\"cpu\",\"restartPolicy\":\"NotRequired\"},{\"resourceName\":\"memory\",\"restartPolicy\":\"NotRequired\"}]")),
    ];

    /// <summary>Whether the pod has become what its shape becomes; null when it has, else what misses.</summary>
    internal string? Misses(Pod pod)
    {
        ContainerStatus? main = pod.Status.ContainerStatuses.FirstOrDefault(status => status.Name == "main");
        bool holds = Kind switch
        {
            SwitchKind.Steady => Workloads.IsReady(pod) && (Name != Restarted || main?.RestartCount == 1) && (Name != Debugged || pod.Spec.EphemeralContainers.Count == pod.Status.EphemeralContainerStatuses.Count(s => s.State?.Running is not null)),
            SwitchKind.Unready => pod.Status.Phase == "Running" && main?.State?.Running is not null && !Workloads.IsReady(pod)
                && pod.Status.ContainerStatuses.All(status => status.Name != "brief" || status.State?.Terminated is not null),
            SwitchKind.Ended => pod.Status.Phase is "Succeeded" or "Failed",
            SwitchKind.Looping => main is { RestartCount: >= 1 },
            _ => main?.State?.Waiting?.Reason is "ErrImageNeverPull" or "CreateContainerConfigError",
        };
        return holds ? null : Workloads.Describe(pod);
    }

    private static string Brief(string policy = "Always") => $"\"restartPolicy\":\"{policy}\",\"terminationGracePeriodSeconds\":5";

    private static string Shell(string script, string more = "", string name = "main") => Workloads.Shell(script, name, more);

    private static string Mounts(params string[] volumes) => $"\"volumeMounts\":[{string.Join(',', volumes.Select(volume => $$"""{"name":"{{volume}}","mountPath":"/{{volume}}"}"""))}]";

    private static string Resources(string cpu, string memory, string mostCpu, string mostMemory) =>
        $$"""
        "resources":{"requests":{"cpu":"{{cpu}}","memory":"{{memory}}"},"limits":{"cpu":"{{mostCpu}}","memory":"{{mostMemory}}"} }
        """;
}
