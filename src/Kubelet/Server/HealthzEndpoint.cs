using System.Text;
using Microsoft.AspNetCore.Http;

namespace NodeAgent.Kubelet.Server;

/// <summary>/healthz and /healthz/&lt;check&gt;. Source: apiserver/pkg/server/healthz.</summary>
/// <param name="checks">All checks, in order.</param>
internal sealed class HealthzEndpoint(IReadOnlyList<HealthCheck> checks)
{
    public Task HandleAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        string name = path.Length > "/healthz".Length ? path["/healthz/".Length..].TrimEnd('/') : "";
        HealthCheck? one = checks.FirstOrDefault(c => c.Name == name);
        if (name.Length > 0 && one is null)
        {
            return context.Response.TextAsync(StatusCodes.Status404NotFound, "404 page not found\n");
        }

        bool verbose = context.Request.Query.ContainsKey("verbose");
        HashSet<string> excluded = [.. context.Request.Query["exclude"].OfType<string>()];
        (bool healthy, string text) = Check(one is null ? [.. checks.Where(c => !excluded.Contains(c.Name))] : [one]);
        return healthy
            ? context.Response.TextAsync(StatusCodes.Status200OK, verbose ? text + "healthz check passed\n" : "ok")
            : context.Response.TextAsync(StatusCodes.Status500InternalServerError, text + "healthz check failed\n");
    }

    /// <summary>Runs checks; the text has a line for each and withholds reasons.</summary>
    internal static (bool Healthy, string Text) Check(IReadOnlyList<HealthCheck> checks)
    {
        StringBuilder text = new();
        bool healthy = true;
        foreach (HealthCheck check in checks)
        {
            bool ok = check.Error() is null;
            healthy &= ok;
            text.Append(ok ? $"[+]{check.Name} ok\n" : $"[-]{check.Name} failed: reason withheld\n");
        }

        return (healthy, text.ToString());
    }
}
