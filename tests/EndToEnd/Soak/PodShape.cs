using NodeAgent.Harness.Cluster;
using NodeAgent.Images;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd.Soak;

/// <summary>A kind of pod: how it is asked for and what becomes of it, however often agent and runtime die meanwhile.</summary>
/// <param name="Name">The first part of its pods' names.</param>
/// <param name="Spec">Its spec without containers, as JSON members; empty for none.</param>
/// <param name="Container">Its container.</param>
/// <param name="Misses">What is not yet as it will be; null when all is. The function says how many starts the runtime did not bring to their end.</param>
internal sealed record PodShape(string Name, string Spec, string Container, Func<Pod, Func<int>, string?> Misses)
{
    private const string Waits = "trap 'exit 0' TERM; sleep 3600 & wait";

    /// <summary>Every shape there is. The namespace has the ConfigMap "settings" and the Secret "keys".</summary>
    public static IReadOnlyList<PodShape> All { get; } =
    [
        new("steady", Brief(), Workloads.Shell(Waits), Steady),
        new("stubborn", Brief(), Workloads.Shell("trap '' TERM; while :; do sleep 1; done"), Steady),
        new("hostly", Brief() + ",\"hostNetwork\":true", Workloads.Shell(Waits), Steady),
        new("serving", Brief(), $$"""
            {"name":"main","image":"{{TestImages.Hello}}","imagePullPolicy":"Never","ports":[{"containerPort":8080}],
             "startupProbe":{"httpGet":{"path":"/","port":8080},"periodSeconds":1,"failureThreshold":60},
             "readinessProbe":{"tcpSocket":{"port":8080},"periodSeconds":1},"livenessProbe":{"httpGet":{"path":"/","port":8080},"periodSeconds":2,"timeoutSeconds":20} }
            """, Steady),
        new("reading", Brief() + """
            ,"volumes":[{"name":"memory","emptyDir":{"medium":"Memory"} },{"name":"all","projected":{"sources":[
             {"configMap":{"name":"settings"} },{"secret":{"name":"keys"} },
             {"downwardAPI":{"items":[{"path":"name","fieldRef":{"fieldPath":"metadata.name"} }]} }]} }]
            """, Workloads.Shell($"cat /all/mode /all/key /all/name >/memory/copy && {Waits}", more: """
            "volumeMounts":[{"name":"memory","mountPath":"/memory"},{"name":"all","mountPath":"/all"}]
            """), Steady),
        new("chained", Brief() + $$"""
            ,"volumes":[{"name":"shared","emptyDir":{} }],"initContainers":[{{Init("first", "test ! -e /shared/second && echo a >/shared/first")}},
             {{Init("beside", Waits, "Always")}},{{Init("second", "test -e /shared/first && echo b >/shared/second")}}]
            """, Workloads.Shell($"test -e /shared/second && {Waits}", more: """
            "volumeMounts":[{"name":"shared","mountPath":"/shared"}]
            """), Steady),
        new("ends", Brief("Never"), Workloads.Shell("sleep 1"), (pod, givenUp) => Ended(pod, "Succeeded", 0) is { } misses && !CutOff(pod, givenUp) ? misses : null),
        new("fails", Brief("Never"), Workloads.Shell("sleep 1; exit 3"), (pod, givenUp) => Ended(pod, "Failed", 3) is { } misses && !CutOff(pod, givenUp) ? misses : null),
        new("recovers", Brief("OnFailure") + ",\"volumes\":[{\"name\":\"shared\",\"emptyDir\":{}}]",
            Workloads.Shell("test -e /shared/tried && exit 0; touch /shared/tried; exit 1", more: "\"volumeMounts\":[{\"name\":\"shared\",\"mountPath\":\"/shared\"}]"),
            (pod, givenUp) => Ended(pod, "Succeeded", 0) ?? (MainOf(pod)!.RestartCount >= 1 && MainOf(pod)!.RestartCount <= 1 + givenUp() + Lost(MainOf(pod)!) ? null : $"{MainOf(pod)!.RestartCount} restarts")),
        new("late", Brief("Never") + ",\"activeDeadlineSeconds\":3", Workloads.Shell(Waits), (pod, givenUp) => pod.Status is { Phase: "Failed", Reason: "DeadlineExceeded" } || CutOff(pod, givenUp) ? null : pod.Status.Phase),
        new("imageless", Brief(), """{"name":"main","image":"nowhere.test/none:1","imagePullPolicy":"Never"}""", (pod, _) => WaitsFor(pod, "ErrImageNeverPull")),
        new("mapless", Brief(), Workloads.Shell(Waits, more: "\"envFrom\":[{\"configMapRef\":{\"name\":\"absent\"}}]"), (pod, _) => WaitsFor(pod, "CreateContainerConfigError")),
        new("commandless", Brief("Never"), $$"""{"name":"main","image":"{{TestImages.Busybox}}","imagePullPolicy":"Never","command":["/no/such/program"]}""",
            (pod, _) => pod.Status.Phase == "Failed" ? null : pod.Status.Phase),
    ];

    private static string Brief(string policy = "Always") => $"\"restartPolicy\":\"{policy}\",\"terminationGracePeriodSeconds\":1";

    private static string Init(string name, string script, string? policy = null) => Workloads.Shell(script, name,
        "\"volumeMounts\":[{\"name\":\"shared\",\"mountPath\":\"/shared\"}]" + (policy is null ? "" : $",\"restartPolicy\":\"{policy}\""));

    private static ContainerStatus? MainOf(Pod pod) => pod.Status.ContainerStatuses.SingleOrDefault();

    private static string? Steady(Pod pod, Func<int> givenUp) => !Workloads.IsReady(pod) ? "not Ready"
        : pod.Status.ContainerStatuses.Concat(pod.Status.InitContainerStatuses).FirstOrDefault(status => status.RestartCount > 0 && status.RestartCount > givenUp() + Lost(status)) is { } restarted
            ? $"{restarted.Name} was restarted: {restarted.LastState?.Terminated?.Reason} {restarted.LastState?.Terminated?.ExitCode}" : null;

    private static string? Ended(Pod pod, string phase, int code) => pod.Status.Phase != phase ? $"phase {pod.Status.Phase}"
        : MainOf(pod)?.State?.Terminated?.ExitCode is { } was && was == code ? null : $"exit code {MainOf(pod)?.State?.Terminated?.ExitCode}";

    // A program that may have begun is not begun again: where the runtime gave its start up, the pod has failed.
    private static bool CutOff(Pod pod, Func<int> givenUp) => pod.Status.Phase == "Failed" && (givenUp() > 0 || Lost(MainOf(pod)!) > 0);

    // "Unknown" and 255 are the runtime's own words for a container that ran when it died itself and whose shim it does not reach again; only it says so.
    private static int Lost(ContainerStatus status) =>
        status.State?.Terminated is { Reason: "Unknown", ExitCode: 255 } || status.LastState?.Terminated is { Reason: "Unknown", ExitCode: 255 } ? 1 : 0;

    private static string? WaitsFor(Pod pod, string reason) => MainOf(pod)?.State?.Waiting?.Reason is { } now && now == reason ? null : $"waits for {MainOf(pod)?.State?.Waiting?.Reason}";
}
