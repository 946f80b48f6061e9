using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Admission;

/// <summary>Default values of a PodSpec, in pods and in templates (upstream: pkg/apis/core/v1/defaults.go).</summary>
internal static class PodDefaults
{
    public static void Apply(JsonObject spec)
    {
        spec.Default("restartPolicy", "Always");
        spec.Default("dnsPolicy", "ClusterFirst");
        spec.Default("schedulerName", "default-scheduler");
        spec.Default("terminationGracePeriodSeconds", 30);
        spec.Default("securityContext", new JsonObject());
        if (spec.Text("serviceAccount") is { Length: > 0 } old)
            spec.Default("serviceAccountName", old);
        if (spec.Text("serviceAccountName") is { Length: > 0 } account)
            spec["serviceAccount"] = account;
        bool hostNetwork = spec.Flag("hostNetwork") == true;
        foreach (string list in new[] { "initContainers", "containers", "ephemeralContainers" })
            foreach (JsonObject container in spec.Items(list))
                Container(container, hostNetwork);
        foreach (JsonObject volume in spec.Items("volumes"))
            Volume(volume);
    }

    private static void Container(JsonObject container, bool hostNetwork)
    {
        container.Default("terminationMessagePath", "/dev/termination-log");
        container.Default("terminationMessagePolicy", "File");
        container.Default("imagePullPolicy", PullPolicy(container.Text("image") ?? ""));
        container.Default("resources", new JsonObject());
        foreach (JsonObject port in container.Items("ports"))
        {
            port.Default("protocol", "TCP");
            if (hostNetwork && port.Number("containerPort") is { } number)
                port.Default("hostPort", number);
        }
        foreach (string name in new[] { "livenessProbe", "readinessProbe", "startupProbe" })
            if (container.Map(name) is { } probe)
                Probe(probe);
        foreach (string hook in new[] { "postStart", "preStop" })
            if (container.Map("lifecycle", hook, "httpGet") is { } get)
                HttpGet(get);
        foreach (JsonObject variable in container.Items("env"))
            if (variable.Map("valueFrom", "fieldRef") is { } field)
                field.Default("apiVersion", "v1");
        if (container.Map("resources", "limits") is { } limits)
            foreach ((string resource, JsonNode? amount) in limits)
                container.Ensure("resources", "requests").Default(resource, amount!.DeepClone());
        if (container.Map("securityContext") is { } context && context.Flag("privileged") is null)
            context.Remove("procMount");
    }

    private static string PullPolicy(string image)
    {
        if (image.Contains('@'))
            return "IfNotPresent";
        string last = image[(image.LastIndexOf('/') + 1)..];
        int colon = last.LastIndexOf(':');
        return colon < 0 || last[(colon + 1)..] == "latest" ? "Always" : "IfNotPresent";
    }

    private static void Probe(JsonObject probe)
    {
        probe.Default("timeoutSeconds", 1);
        probe.Default("periodSeconds", 10);
        probe.Default("successThreshold", 1);
        probe.Default("failureThreshold", 3);
        if (probe.Map("httpGet") is { } get)
            HttpGet(get);
        if (probe.Map("grpc") is { } grpc)
            grpc.Default("service", "");
    }

    private static void HttpGet(JsonObject get)
    {
        get.Default("path", "/");
        get.Default("scheme", "HTTP");
    }

    private static void Volume(JsonObject volume)
    {
        foreach (string source in new[] { "secret", "configMap", "downwardAPI", "projected" })
            if (volume.Map(source) is { } content)
                content.Default("defaultMode", 420);
        if (volume.Map("hostPath") is { } host)
            host.Default("type", "");
        IEnumerable<JsonObject> files = volume.Items("downwardAPI", "items")
            .Concat(volume.Items("projected", "sources").SelectMany(s => s.Items("downwardAPI", "items")));
        foreach (JsonObject file in files)
            if (file.Map("fieldRef") is { } field)
                field.Default("apiVersion", "v1");
        foreach (JsonObject source in volume.Items("projected", "sources"))
            if (source.Map("serviceAccountToken") is { } token)
                token.Default("expirationSeconds", 3600);
        if (volume.Count == 1)
            volume["emptyDir"] = new JsonObject();
    }
}
