using System.Text;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.NodeAgent.Tests.Documentation;

/// <summary>The generated part of docs/compatibility.md.</summary>
internal static class CompatibilityTables
{
    internal const string Begin = "<!-- begin: flags and configuration fields (generated; NODE_AGENT_REWRITE=1 rewrites it when the tests run) -->";
    internal const string End = "<!-- end: flags and configuration fields -->";

    internal static string Render()
    {
        StringBuilder text = new();
        text.Append(Begin).Append("\n\n");
        Flags(text, "Flags of the kubelet", KubeletFlagTable.Flags);
        Fields(text, "KubeletConfiguration (kubelet.config.k8s.io/v1beta1)", KubeletConfigurationTable.Fields.Fields);
        Flags(text, "Flags of kube-proxy", KubeProxyFlagTable.Flags);
        Fields(text, "KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1)", KubeProxyConfigurationTable.Fields.Fields);
        return text.Append(End).ToString();
    }

    private static void Flags(StringBuilder text, string title, FlagSet set)
    {
        text.Append("## ").Append(title).Append("\n\n| flag | field | state |\n|---|---|---|\n");
        foreach (FlagDefinition flag in set.Flags)
        {
            string deprecated = flag.Deprecation is null ? "" : ", deprecated upstream";
            text.Append("| `--").Append(flag.Name).Append("` | ").Append(flag.FieldPath is null ? "" : $"`{flag.FieldPath}`")
                .Append(" | ").Append(State(flag.State)).Append(deprecated).Append(" |\n");
        }
        text.Append('\n');
    }

    private static void Fields(StringBuilder text, string title, IEnumerable<IConfigurationField> fields)
    {
        text.Append("## ").Append(title).Append("\n\n| field | default | state |\n|---|---|---|\n");
        foreach (IConfigurationField field in fields)
        {
            string value = field.DefaultText.Length == 0 ? "" : $"`{field.DefaultText}`";
            text.Append("| `").Append(field.Path).Append("` | ").Append(value).Append(" | ").Append(State(field.State)).Append(" |\n");
        }
        text.Append('\n');
    }

    private static string State(SupportState state) => state switch
    {
        SupportState.Supported => "works",
        SupportState.NoEffectYet => "not yet",
        SupportState.Partly => "in part",
        _ => "accepted, does nothing",
    };
}
