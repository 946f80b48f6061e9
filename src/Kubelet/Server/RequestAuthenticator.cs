using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Server;

/// <summary>
/// Finds out who asks: client certificate (CN user, O groups), bearer token by TokenReview, else anonymous where allowed.
/// Source: pkg/kubelet/server/auth.go, apiserver's authenticatorfactory.
/// </summary>
/// <param name="options">What is allowed.</param>
/// <param name="clientCA">The client CA bundle, newest; null where client certificates do not count.</param>
/// <param name="client">For TokenReview; null where tokens do not count.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class RequestAuthenticator(
    KubeletServerOptions options, Func<X509Certificate2Collection?> clientCA, IKubernetesClient? client, TimeProvider time, ILogger<RequestAuthenticator> logger)
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const int CacheCapacity = 4096;
    private const int MostReviews = 128;
    private readonly ExpiringCache<string, RequestUser?> _tokens = new(CacheCapacity, time);
    private int _reviews;

    /// <summary>The user, or null where the credentials are missing or wrong (401).</summary>
    /// <exception cref="TooManyReviewsException">So many tokens are being reviewed that this one has to wait.</exception>
    public async Task<RequestUser?> AuthenticateAsync(X509Certificate2? certificate, string? authorization, CancellationToken cancellationToken)
    {
        bool refused = false;
        if (certificate is not null && clientCA() is { } authorities)
        {
            if (FromCertificate(certificate, authorities) is { } user)
            {
                return user;
            }

            refused = true;
        }

        if (Bearer(authorization) is { } token && options.TokenReview && client is not null)
        {
            return await FromTokenAsync(token, cancellationToken);
        }

        return !refused && options.Anonymous ? RequestUser.Anonymous : null;
    }

    /// <summary>The user a certificate names, where it is signed by one of the authorities and made for clients.</summary>
    internal RequestUser? FromCertificate(X509Certificate2 certificate, X509Certificate2Collection authorities)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = time.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        if (!chain.Build(certificate))
        {
            LogRefusedCertificate(certificate.Subject, string.Join(", ", chain.ChainStatus.Select(s => s.Status)));
            return null;
        }

        (string? name, List<string> groups) = SubjectOf(certificate);
        return string.IsNullOrEmpty(name) ? null
            : new RequestUser(name, "", [.. groups, "system:authenticated"], new Dictionary<string, IReadOnlyList<string>>());
    }

    private static (string? Name, List<string> Groups) SubjectOf(X509Certificate2 certificate)
    {
        string? name = null;
        List<string> groups = [];
        foreach (X500RelativeDistinguishedName part in certificate.SubjectName.EnumerateRelativeDistinguishedNames(reversed: false))
        {
            if (part.HasMultipleElements)
            {
                continue;
            }

            switch (part.GetSingleElementType().Value)
            {
                case "2.5.4.3": name = part.GetSingleElementValue(); break;
                case "2.5.4.10" when part.GetSingleElementValue() is { } group: groups.Add(group); break;
            }
        }

        return (name, groups);
    }

    private async Task<RequestUser?> FromTokenAsync(string token, CancellationToken cancellationToken)
    {
        string key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        if (_tokens.TryGet(key, out RequestUser? known))
        {
            return known;
        }

        try
        {
            if (Interlocked.Increment(ref _reviews) > MostReviews)
            {
                throw new TooManyReviewsException();
            }

            TokenReview review = await client!.CreateAsync(new TokenReview { Spec = TokenReviewSpec.Empty with { Token = token } }, cancellationToken);
            RequestUser? user = review.Status is { Authenticated: true, User: { } named } ? FromReview(named) : null;
            _tokens.Set(key, user, options.TokenReviewCache);
            return user;
        }
        catch (KubernetesException e)
        {
            LogReviewFailed(e.Message);
            return null;
        }
        finally
        {
            Interlocked.Decrement(ref _reviews);
        }
    }

    private static RequestUser FromReview(UserInfo user)
    {
        IReadOnlyList<string> groups = user.Groups.Contains("system:authenticated") ? user.Groups : [.. user.Groups, "system:authenticated"];
        return new RequestUser(user.Username ?? "", user.Uid ?? "", groups, user.Extra);
    }

    private static string? Bearer(string? authorization)
    {
        string[] parts = (authorization ?? "").Trim().Split(' ', 3);
        return parts.Length >= 2 && parts[0].Equals("Bearer", StringComparison.OrdinalIgnoreCase) && parts[1].Length > 0 ? parts[1] : null;
    }

    [LoggerMessage(3101, LogLevel.Debug, "Client certificate {Subject} is refused: {Reasons}")]
    private partial void LogRefusedCertificate(string subject, string reasons);

    [LoggerMessage(3102, LogLevel.Warning, "A bearer token cannot be reviewed: {Cause}")]
    private partial void LogReviewFailed(string cause);
}

/// <summary>Too many bearer tokens are being reviewed by the API server.</summary>
internal sealed class TooManyReviewsException() : Exception("too many bearer tokens are being reviewed, try again later");
