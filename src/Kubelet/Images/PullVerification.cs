namespace NodeAgent.Kubelet.Images;

/// <summary>Which images on the node a pod may use without a proof that it could have pulled them. Source: pkg/kubelet/images/pullmanager/image_pull_policies.go.</summary>
public sealed class PullVerification
{
    private readonly string _policy;
    private readonly HashSet<string> _names;
    private readonly string[] _prefixes;

    /// <summary>Takes the policy.</summary>
    /// <param name="policy">imagePullCredentialsVerificationPolicy.</param>
    /// <param name="allowlist">preloadedImagesVerificationAllowlist: names, or prefixes ending in "/*".</param>
    /// <exception cref="FormatException">An entry of the list is none of both.</exception>
    public PullVerification(string policy, IReadOnlyList<string> allowlist)
    {
        _policy = policy;
        foreach (string entry in allowlist)
        {
            if (Problem(entry) is { } problem)
            {
                throw new FormatException($"preloadedImagesVerificationAllowlist: \"{entry}\" {problem}");
            }
        }

        _names = [.. allowlist.Where(e => !e.EndsWith("/*", StringComparison.Ordinal))];
        _prefixes = [.. allowlist.Where(e => e.EndsWith("/*", StringComparison.Ordinal)).Select(e => e[..^1])];
    }

    /// <summary>Whether use of a present image has to be proven.</summary>
    /// <param name="image">As in the pod's spec.</param>
    /// <param name="pulledByKubelet">A record or an intent says that it was pulled on this node for a pod.</param>
    public bool IsRequired(string image, bool pulledByKubelet) => _policy switch
    {
        "NeverVerify" => false,
        "AlwaysVerify" => true,
        "NeverVerifyAllowlistedImages" => !IsListed(ImageName.WithoutTag(image)),
        _ => pulledByKubelet,
    };

    private bool IsListed(string name) => _names.Contains(name) || _prefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal));

    private static string? Problem(string entry)
    {
        bool wildcard = entry.EndsWith("/*", StringComparison.Ordinal);
        string name = wildcard ? entry[..^1] : entry;
        return entry != entry.Trim() ? "has spaces around it"
            : name.Contains('*', StringComparison.Ordinal) ? "has a * elsewhere than in a last /*"
            : wildcard ? (name.Length <= 1 ? "needs at least a registry before /*" : null)
            : ImageName.WithTag(name) is null ? "is no image name"
            : ImageName.WithoutTag(name) != name ? "has a tag or digest; leave it out" : null;
    }
}
