using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Gives the Authorization header of requests.</summary>
public interface IRequestCredentials
{
    /// <summary>The header's value; null for none. Cheap when nothing has to be renewed.</summary>
    ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken cancellationToken);

    /// <summary>The server answered 401 to <paramref name="used"/>: get a new one next time.</summary>
    void Rejected(AuthenticationHeaderValue? used);
}

/// <summary>Gives the client certificate. A changed answer makes new connections.</summary>
public interface IClientCertificateSource
{
    /// <summary>The certificate; the same instance as long as it did not change; null for none.</summary>
    ValueTask<ClientCertificate?> GetAsync(CancellationToken cancellationToken);
}

/// <summary>Gives the certificates that the server's must chain to.</summary>
public interface ICertificateAuthoritySource
{
    /// <summary>The certificates; the same instance as long as they did not change.</summary>
    X509Certificate2Collection Get();
}

/// <summary>A fixed token.</summary>
public sealed class TokenCredentials(string token) : IRequestCredentials
{
    private readonly AuthenticationHeaderValue _value = new("Bearer", token);

    /// <inheritdoc/>
    public ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken cancellationToken) => new(_value);

    /// <inheritdoc/>
    public void Rejected(AuthenticationHeaderValue? used)
    {
    }
}

/// <summary>User name and password.</summary>
public sealed class BasicCredentials(string userName, string password) : IRequestCredentials
{
    private readonly AuthenticationHeaderValue _value =
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{userName}:{password}")));

    /// <inheritdoc/>
    public ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken cancellationToken) => new(_value);

    /// <inheritdoc/>
    public void Rejected(AuthenticationHeaderValue? used)
    {
    }
}

/// <summary>A token in a file, read again each minute and after a 401. An unreadable file keeps the last token in use.</summary>
public sealed class TokenFileCredentials(string path, TimeProvider time) : IRequestCredentials
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private readonly Lock _gate = new();
    private AuthenticationHeaderValue? _value;
    private long _readAt;
    private bool _stale = true;

    /// <inheritdoc/>
    public ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_stale || time.GetElapsedTime(_readAt) >= Period)
                Read();
            return new(_value);
        }
    }

    /// <inheritdoc/>
    public void Rejected(AuthenticationHeaderValue? used)
    {
        lock (_gate)
            _stale |= ReferenceEquals(used, _value);
    }

    private void Read()
    {
        try
        {
            string token = File.ReadAllText(path).Trim();
            if (token.Length == 0)
                throw new IOException("the file is empty");
            if (_value?.Parameter != token)
                _value = new AuthenticationHeaderValue("Bearer", token);
            _stale = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && _value is not null)
        {
            // The last token may still be good; the next request after a minute tries again.
            _stale = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ApiUnreachableException($"token file {path}: {e.Message}; make it readable and fill it with a token", e);
        }
        _readAt = time.GetTimestamp();
    }
}
