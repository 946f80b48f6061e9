using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Identity;

/// <summary>Who sends a request: client certificate, bearer token, or nobody.</summary>
internal sealed class Authenticator(
    CertificateIssuer issuer, ServiceAccountTokens tokens, ObjectStore store, IReadOnlyDictionary<string, UserInfo> staticTokens, TimeProvider time)
{
    public UserInfo Authenticate(HttpContext context)
    {
        UserInfo user = FromCertificate(context.Connection.ClientCertificate) ?? FromHeader(context.Request.Headers.Authorization.ToString()) ?? UserInfo.Anonymous;
        string actAs = context.Request.Headers["Impersonate-User"].ToString();
        if (actAs.Length == 0)
            return user;
        if (!user.IsMaster)
            throw new ApiError(403, "Forbidden", $"users \"{actAs}\" is forbidden: User \"{user.Name}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope");
        return UserInfo.Authenticated(actAs, "", context.Request.Headers["Impersonate-Group"].OfType<string>());
    }

    /// <summary>The user of a bearer token, or null when it is none.</summary>
    public UserInfo? OfToken(string token, IReadOnlyList<string> audiences) =>
        staticTokens.GetValueOrDefault(token) ?? tokens.Verify(token, audiences) ?? OfBootstrapToken(token);

    private UserInfo? FromCertificate(X509Certificate2? certificate)
    {
        if (certificate is null)
            return null;
        if (!issuer.AcceptsClient(certificate))
            throw ApiError.Unauthorized();
        string name = "";
        List<string> groups = [];
        foreach (X500RelativeDistinguishedName part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
            if (part.GetSingleElementType().Value == "2.5.4.3")
                name = part.GetSingleElementValue() ?? "";
            else if (part.GetSingleElementType().Value == "2.5.4.10")
                groups.Add(part.GetSingleElementValue() ?? "");
        return UserInfo.Authenticated(name, "", groups);
    }

    private UserInfo? FromHeader(string header)
    {
        const string scheme = "Bearer ";
        if (!header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            return null;
        return OfToken(header[scheme.Length..].Trim(), [ServiceAccountTokens.Issuer]) ?? throw ApiError.Unauthorized();
    }

    private UserInfo? OfBootstrapToken(string token)
    {
        if (token.Split('.') is not [{ Length: 6 } id, { Length: 16 } secret])
            return null;
        StoredObject? stored = store.Get(ResourceTable.Secrets, "kube-system", $"bootstrap-token-{id}");
        if (stored?.Value.Text("type") != "bootstrap.kubernetes.io/token")
            return null;
        string Field(string name) => Encoding.UTF8.GetString(Convert.FromBase64String(stored.Value.Text("data", name) ?? ""));
        bool right = CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(Field("token-secret")), Encoding.UTF8.GetBytes(secret));
        bool late = DateTimeOffset.TryParse(Field("expiration"), out DateTimeOffset end) && end <= time.GetUtcNow();
        if (!right || late || Field("usage-bootstrap-authentication") != "true")
            return null;
        IEnumerable<string> groups = Field("auth-extra-groups").Split(',', StringSplitOptions.RemoveEmptyEntries).Append("system:bootstrappers");
        return UserInfo.Authenticated($"system:bootstrap:{id}", "", groups);
    }
}
