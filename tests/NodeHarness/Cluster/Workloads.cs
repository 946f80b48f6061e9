using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Harness.Host;
using NodeAgent.Images;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Harness.Cluster;

/// <summary>Makes, looks at and removes objects of one namespace.</summary>
public sealed class Workloads(NodeCluster cluster, string space)
{
    /// <summary>How long a pod may take to be Ready on a busy machine of two processors.</summary>
    public static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    /// <summary>The namespace.</summary>
    public string Namespace => space;

    private KubernetesClient Client => cluster.Client;

    /// <summary>Creates the namespace and waits for its default service account, without which no pod is admitted.</summary>
    public static async Task<Workloads> CreateAsync(NodeCluster cluster, string space)
    {
        Workloads workloads = new(cluster, space);
        await workloads.PostAsync("/api/v1/namespaces", $$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{space}}"} }""");
        await Until.NothingMissesAsync($"service account {space}/default", TimeSpan.FromSeconds(30), async () =>
        {
            await workloads.GetJsonAsync($"/api/v1/namespaces/{space}/serviceaccounts/default");
            return null;
        });
        return workloads;
    }

    /// <summary>Deletes the namespace with all that is in it and waits until it is gone.</summary>
    public async Task DeleteAsync(TimeSpan? limit = null)
    {
        await Client.RawAsync(HttpMethod.Delete, $"/api/v1/namespaces/{space}");
        await Until.NothingMissesAsync($"namespace {space} is gone", limit ?? TimeSpan.FromSeconds(90), async () =>
        {
            try
            {
                JsonNode left = await GetJsonAsync($"/api/v1/namespaces/{space}");
                return $"phase {left["status"]?["phase"]}, pods {string.Join(", ", (await PodsAsync()).Select(pod => pod.Metadata.Name))}";
            }
            catch (ApiException e) when (e.IsNotFound)
            {
                return null;
            }
        });
    }

    /// <summary>Posts JSON to a path.</summary>
    public async Task<JsonNode> PostAsync(string path, string json) =>
        JsonNode.Parse(await Client.RawAsync(HttpMethod.Post, path, Encoding.UTF8.GetBytes(json), "application/json"))!;

    /// <summary>Reads JSON.</summary>
    public async Task<JsonNode> GetJsonAsync(string path) => JsonNode.Parse(await Client.RawAsync(HttpMethod.Get, path))!;

    /// <summary>Creates a pod of one container; the spec's other fields as JSON text.</summary>
    public Task<JsonNode> PodAsync(string name, string container, string spec = "", string labels = "") => PostAsync($"/api/v1/namespaces/{space}/pods", $$"""
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{name}}","labels":{ {{labels}} } },
         "spec":{ {{(spec.Length == 0 ? "" : spec + ",")}} "containers":[ {{container}} ]} }
        """);

    /// <summary>A container that runs a shell script.</summary>
    public static string Shell(string script, string name = "main", string more = "") =>
        $$"""{"name":"{{name}}","image":"{{TestImages.Busybox}}","imagePullPolicy":"Never","command":["sh","-c",{{JsonValue.Create(script)!.ToJsonString()}}]{{(more.Length == 0 ? "" : "," + more)}}}""";

    /// <summary>A Deployment of hello-server with probes.</summary>
    public Task<JsonNode> HelloAsync(int replicas) => PostAsync($"/apis/apps/v1/namespaces/{space}/deployments", $$"""
        {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"hello-server"},"spec":{"replicas":{{replicas}},
         "selector":{"matchLabels":{"app":"hello"} },"template":{"metadata":{"labels":{"app":"hello"} },"spec":{"terminationGracePeriodSeconds":5,
         "containers":[{"name":"hello","image":"{{TestImages.Hello}}","imagePullPolicy":"Never","ports":[{"containerPort":8080}],
           "readinessProbe":{"httpGet":{"path":"/","port":8080},"periodSeconds":1},
           "livenessProbe":{"httpGet":{"path":"/","port":8080},"periodSeconds":5,"failureThreshold":3} }]} } } }
        """);

    /// <summary>A Service for hello-server; a node port of 0 is any free one.</summary>
    public async Task<(string ClusterIP, int NodePort)> HelloServiceAsync(int nodePort = 0, string name = "hello")
    {
        JsonNode service = await PostAsync($"/api/v1/namespaces/{space}/services", $$"""
            {"apiVersion":"v1","kind":"Service","metadata":{"name":"{{name}}"},"spec":{"type":"NodePort","selector":{"app":"hello"},
             "ports":[{"port":80,"targetPort":8080{{(nodePort == 0 ? "" : $",\"nodePort\":{nodePort}")}}}]} }
            """);
        return ((string)service["spec"]!["clusterIP"]!, (int)service["spec"]!["ports"]![0]!["nodePort"]!);
    }

    /// <summary>Changes the number of replicas.</summary>
    public Task ScaleAsync(string deployment, int replicas) => Client.RawAsync(HttpMethod.Patch, $"/apis/apps/v1/namespaces/{space}/deployments/{deployment}",
        Encoding.UTF8.GetBytes($$"""{"spec":{"replicas":{{replicas}} } }"""), "application/merge-patch+json");

    /// <summary>The namespace's pods.</summary>
    public async Task<IReadOnlyList<Pod>> PodsAsync(string? labels = null) =>
        (await Client.ListAsync<Pod>(space, new ListOptions { LabelSelector = labels })).Items;

    /// <summary>One pod.</summary>
    public Task<Pod> GetPodAsync(string name) => Client.GetAsync<Pod>(space, name);

    /// <summary>Deletes a pod; null leaves the grace period to its spec.</summary>
    public Task DeletePodAsync(string name, int? grace = null) => Client.RawAsync(HttpMethod.Delete,
        $"/api/v1/namespaces/{space}/pods/{name}{(grace is { } seconds ? $"?gracePeriodSeconds={seconds}" : "")}");

    /// <summary>Waits until the pod is Ready.</summary>
    public Task<Pod> ReadyAsync(string name, TimeSpan? limit = null) => PodIsAsync(name, "Ready", limit ?? StartLimit, IsReady);

    /// <summary>Waits until the pod's phase is as given.</summary>
    public Task<Pod> PhaseAsync(string name, string phase, TimeSpan? limit = null) => PodIsAsync(name, phase, limit ?? StartLimit, pod => pod.Status.Phase == phase);

    /// <summary>Waits until something holds of a pod.</summary>
    public Task<Pod> PodIsAsync(string name, string what, TimeSpan limit, Func<Pod, bool> holds) => Until.FoundAsync($"pod {space}/{name} {what}", limit, async () =>
    {
        Pod pod = await GetPodAsync(name);
        return (holds(pod) ? pod : null, Describe(pod));
    });

    /// <summary>Waits until exactly so many pods with the labels exist and all are Ready.</summary>
    public Task<IReadOnlyList<Pod>> AllReadyAsync(int count, string? labels = null, TimeSpan? limit = null) =>
        Until.FoundAsync($"{count} pods of {space} Ready", limit ?? StartLimit, async () =>
        {
            IReadOnlyList<Pod> pods = await PodsAsync(labels);
            return (pods.Count == count && pods.All(IsReady) ? pods : null, string.Join("; ", pods.Select(Describe)));
        });

    /// <summary>Waits until the pod's object is gone.</summary>
    public Task GoneAsync(string name, TimeSpan limit) => Until.NothingMissesAsync($"pod {space}/{name} is gone", limit, async () =>
    {
        try
        {
            return Describe(await GetPodAsync(name));
        }
        catch (ApiException e) when (e.IsNotFound)
        {
            return null;
        }
    });

    /// <summary>A container's log through the API server.</summary>
    public async Task<string> LogAsync(string pod, string query = "") =>
        Encoding.UTF8.GetString(await Client.RawAsync(HttpMethod.Get, $"/api/v1/namespaces/{space}/pods/{pod}/log{query}"));

    /// <summary>What an HTTP server answers to a pod of the test images.</summary>
    /// <exception cref="InvalidOperationException">Nothing was answered; tells what the pod's client said.</exception>
    public async Task<string> AskFromAsync(string pod, string address, int port)
    {
        ExecAnswer answer = await PodExec.RunAsync(cluster, space, pod, ["ask", address, port.ToString(CultureInfo.InvariantCulture)]);
        return answer.Succeeded ? answer.Output.Trim() : throw new InvalidOperationException($"{pod} got no answer from {address}:{port}: {answer.Error.Trim()} {answer.Status}");
    }

    /// <summary>What events tell of an object: "Reason: message", oldest first.</summary>
    public async Task<IReadOnlyList<string>> EventsAsync(string name) =>
        [.. (await GetJsonAsync($"/api/v1/namespaces/{space}/events?fieldSelector=involvedObject.name%3D{name}"))["items"]!.AsArray()
            .Select(item => $"{item!["reason"]}: {item["message"] ?? item["note"]}")];

    /// <summary>Whether the pod is Ready and not on its way out.</summary>
    public static bool IsReady(Pod pod) => pod.Metadata.DeletionTimestamp is null
        && pod.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "True" });

    /// <summary>A pod in a line, for messages.</summary>
    public static string Describe(Pod pod)
    {
        string containers = string.Join(", ", pod.Status.ContainerStatuses.Select(status =>
            $"{status.Name} restarts {status.RestartCount.ToString(CultureInfo.InvariantCulture)} " + (status.State switch
            {
                { Waiting: { } waiting } => $"waiting {waiting.Reason}: {waiting.Message}",
                { Terminated: { } ended } => $"ended {ended.ExitCode} {ended.Reason}: {ended.Message}",
                { Running: not null } => "running",
                _ => "unknown",
            })));
        string conditions = string.Join(",", pod.Status.Conditions.Where(condition => condition.Status != "True").Select(condition => $"!{condition.Type}({condition.Reason})"));
        return $"{pod.Metadata.Name} {pod.Status.Phase} {pod.Status.Reason} {pod.Status.Message} [{containers}] {conditions}"
            + (pod.Metadata.DeletionTimestamp is null ? "" : " deleting");
    }
}
