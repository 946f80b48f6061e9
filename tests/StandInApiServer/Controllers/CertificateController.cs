using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>
/// Approves and signs what kubelets ask for: client certificates (bootstrap tokens and nodes renewing their own) and serving
/// certificates. The real cluster leaves serving certificates to the administrator; here they are approved when they are proper.
/// </summary>
internal sealed class CertificateController(ObjectWriter writer, CertificateIssuer issuer) : IController
{
    private const string ClientSigner = "kubernetes.io/kube-apiserver-client-kubelet";
    private const string ServingSigner = "kubernetes.io/kubelet-serving";
    private const string ApiClientSigner = "kubernetes.io/kube-apiserver-client";

    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.CertificateSigningRequests];

    public bool Ticks => false;

    public void Reconcile()
    {
        foreach (StoredObject request in writer.Store.List(ResourceTable.CertificateSigningRequests))
        {
            if (request.Value.Text("status", "certificate") is { Length: > 0 } || HasCondition(request, "Denied") || HasCondition(request, "Failed"))
                continue;
            Handle(request);
        }
    }

    private static bool HasCondition(StoredObject request, string type) => request.Value.Items("status", "conditions").Exists(c => c.Text("type") == type);

    private void Handle(StoredObject request)
    {
        JsonNode? spec = request.Value.At("spec");
        string signer = spec.Text("signerName") ?? "";
        if (signer is not (ClientSigner or ServingSigner or ApiClientSigner))
            return;
        CertificateRequest parsed;
        try
        {
            string pem = Encoding.ASCII.GetString(Convert.FromBase64String(spec.Text("request") ?? ""));
            parsed = CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        }
        catch (Exception e) when (e is FormatException or CryptographicException or ArgumentException)
        {
            Condition(request, "Failed", "SignerValidationFailure", $"unable to parse spec.request: {e.Message}");
            return;
        }
        if (Problem(signer, spec, parsed) is { } problem)
        {
            Condition(request, "Failed", "SignerValidationFailure", problem);
            return;
        }
        if (!HasCondition(request, "Approved"))
        {
            if (signer == ApiClientSigner || !MayApprove(signer, spec, parsed))
                return;
            Condition(request, "Approved", "AutoApproved", "Auto approving kubelet client certificate after SubjectAccessReview.");
        }
        TimeSpan lifetime = TimeSpan.FromSeconds(Math.Clamp(spec.Number("expirationSeconds") ?? 365 * 24 * 3600, 600, 365 * 24 * 3600));
        string certificate = issuer.SignRequest(parsed, signer == ServingSigner, lifetime);
        writer.Change(
            ResourceTable.CertificateSigningRequests, "", request.Name,
            value => value.Ensure("status")["certificate"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(certificate)), "status");
    }

    private static string? Problem(string signer, JsonNode? spec, CertificateRequest parsed)
    {
        if (signer == ApiClientSigner)
            return null;
        (string name, List<string> organizations) = SubjectOf(parsed);
        bool hasNames = parsed.CertificateExtensions.Any(e => e.Oid?.Value == "2.5.29.17");
        List<string> usages = spec.Texts("usages");
        string wanted = signer == ClientSigner ? "client auth" : "server auth";
        if (organizations is not ["system:nodes"])
            return "subject organization is not system:nodes";
        if (!name.StartsWith("system:node:"))
            return "subject common name does not begin with system:node:";
        if (signer == ClientSigner && hasNames)
            return "DNS, IP, email and URI subjectAltNames are not allowed";
        if (signer == ServingSigner && !hasNames)
            return "DNS or IP subjectAltName is required";
        if (!usages.Contains(wanted) || usages.Except([wanted, "digital signature", "key encipherment"]).Any())
            return "usages did not match " + string.Join(", ", usages);
        return null;
    }

    private static bool MayApprove(string signer, JsonNode? spec, CertificateRequest parsed)
    {
        bool self = spec.Text("username") == SubjectOf(parsed).Name && spec.Texts("groups").Contains("system:nodes");
        return self || (signer == ClientSigner && spec.Texts("groups").Exists(g => g is "system:bootstrappers" or "system:masters"));
    }

    private static (string Name, List<string> Organizations) SubjectOf(CertificateRequest request)
    {
        string name = "";
        List<string> organizations = [];
        foreach (X500RelativeDistinguishedName part in request.SubjectName.EnumerateRelativeDistinguishedNames())
            if (part.GetSingleElementType().Value == "2.5.4.3")
                name = part.GetSingleElementValue() ?? "";
            else if (part.GetSingleElementType().Value == "2.5.4.10")
                organizations.Add(part.GetSingleElementValue() ?? "");
        return (name, organizations);
    }

    private void Condition(StoredObject request, string type, string reason, string message) =>
        writer.Change(ResourceTable.CertificateSigningRequests, "", request.Name, value =>
        {
            JsonObject status = value.Ensure("status");
            if (status["conditions"] is not JsonArray conditions)
                status["conditions"] = conditions = [];
            conditions.Add(new JsonObject
            {
                ["type"] = type,
                ["status"] = "True",
                ["reason"] = reason,
                ["message"] = message,
                ["lastUpdateTime"] = writer.Now(),
                ["lastTransitionTime"] = writer.Now(),
            });
        }, "approval");
}
