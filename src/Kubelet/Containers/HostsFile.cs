using System.Collections.Immutable;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Containers;

/// <summary>The managed /etc/hosts of a pod. Source: pkg/kubelet/kubelet_pods.go (ensureHostsFile).</summary>
internal static class HostsFile
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const string Header = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        + "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";

    /// <summary>Writes it in place: containers that run have this inode mounted and see the new text.</summary>
    public static void Write(string path, string text)
    {
        byte[] content = Encoding.UTF8.GetBytes(text);
        // No lock is asked for: a container may hold one on the file.
        using SafeFileHandle file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.SetLength(file, 0);
        RandomAccess.Write(file, content, 0);
        File.SetUnixFileMode(file, Mode);
    }

    /// <summary>The text. Pure.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="ips">Its addresses.</param>
    /// <param name="hostname">Its host name.</param>
    /// <param name="domain">Its domain, "" for none.</param>
    /// <param name="nodeFile">The node's own file; given for host-network pods.</param>
    public static string Build(Pod pod, ImmutableArray<string> ips, string hostname, string domain, string? nodeFile)
    {
        var text = new StringBuilder();
        if (nodeFile is not null)
        {
            text.Append("# Kubernetes-managed hosts file (host network).\n").Append(nodeFile);
        }
        else
        {
            text.Append(Header);
            foreach (string ip in ips)
            {
                text.Append(ip).Append('\t');
                if (domain.Length > 0)
                {
                    text.Append(hostname).Append('.').Append(domain).Append('\t');
                }

                text.Append(hostname).Append('\n');
            }
        }

        if (pod.Spec.HostAliases.Count > 0)
        {
            text.Append("\n# Entries added by HostAliases.\n");
            foreach (HostAlias alias in pod.Spec.HostAliases)
            {
                text.Append(alias.Ip).Append('\t').AppendJoin('\t', alias.Hostnames).Append('\n');
            }
        }

        return text.ToString();
    }
}
