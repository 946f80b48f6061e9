using System.Net.Sockets;
using System.Security.Authentication;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Says in words what went wrong with a connection, and what to do where that is known.</summary>
internal static class ConnectionErrors
{
    internal static bool IsConnectionFailure(Exception e) =>
        e is HttpRequestException or IOException or SocketException or OperationCanceledException or InvalidDataException or AuthenticationException;

    /// <summary>True when a connection that had worked was lost, so that an immediate second try makes sense.</summary>
    internal static bool IsConnectionLost(Exception? e) => e switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded or HttpRequestError.HttpProtocolError } => true,
        HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded or HttpRequestError.HttpProtocolError } => true,
        SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.Shutdown } => true,
        null => false,
        _ => IsConnectionLost(e.InnerException),
    };

    internal static string Describe(Exception e, ClientConfiguration configuration)
    {
        for (Exception? at = e; at is not null; at = at.InnerException)
        {
            if (at is AuthenticationException)
                return Tls(at, configuration);
            if (at is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
                return $"{configuration.Server} refuses the connection: is the API server running, and the server address of {configuration.Source} right?";
            if (at is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData })
                return $"the host of {configuration.Server} cannot be resolved: check DNS and the server address of {configuration.Source}";
        }
        return $"{configuration.Server}: {e.Message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}";
    }

    private static string Tls(Exception e, ClientConfiguration configuration)
    {
        string message = e.Message;
        if (message.Contains("RemoteCertificateNameMismatch", StringComparison.Ordinal))
            return $"the certificate of {configuration.Server} is not for this name: correct the server address in {configuration.Source} or set tls-server-name";
        if (message.Contains("NotTimeValid", StringComparison.Ordinal))
            return $"the certificate of {configuration.Server} is expired or not yet valid: renew it, or check this machine's clock";
        if (message.Contains("RemoteCertificateChainErrors", StringComparison.Ordinal) || message.Contains("certificate chain", StringComparison.Ordinal))
            return $"the certificate of {configuration.Server} is not signed by the certificate-authority of {configuration.Source} ({message})";
        return $"TLS with {configuration.Server} failed: {message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}";
    }
}
