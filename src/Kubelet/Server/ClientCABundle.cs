using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NodeAgent.Kubelet.Server;

/// <summary>The client CA file, read again when it changed; a broken file keeps the old bundle.</summary>
/// <param name="file">authentication.x509.clientCAFile; "" = none.</param>
/// <param name="time">Clock.</param>
public sealed class ClientCABundle(string file, TimeProvider time)
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private X509Certificate2Collection? _current;
    private DateTime _stamp;
    private long? _looked;

    /// <summary>Reads the file, which must be usable from the start: without it every client with a certificate would be refused.</summary>
    /// <param name="file">authentication.x509.clientCAFile.</param>
    /// <param name="time">Clock.</param>
    /// <exception cref="InvalidOperationException">It cannot be read or holds no certificate; names the field and the file.</exception>
    public static ClientCABundle Open(string file, TimeProvider time)
    {
        var bundle = new ClientCABundle(file, time);
        try
        {
            if (bundle.Current is { Count: > 0 })
            {
                return bundle;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new InvalidOperationException($"authentication.x509.clientCAFile {file}: {e.Message}; put the cluster's client certificate authority there", e);
        }

        throw new InvalidOperationException($"authentication.x509.clientCAFile {file}: holds no certificate in PEM form; put the cluster's client certificate authority there");
    }

    /// <summary>Null where no file is configured.</summary>
    /// <exception cref="IOException">The file cannot be read and never could.</exception>
    /// <exception cref="CryptographicException">The file holds no certificate and never did.</exception>
    public X509Certificate2Collection? Current
    {
        get
        {
            if (file.Length == 0)
            {
                return null;
            }

            lock (_lock)
            {
                if (_looked is { } looked && time.GetElapsedTime(looked) < LookPeriod)
                {
                    return _current;
                }

                DateTime stamp = File.GetLastWriteTimeUtc(file);
                if (_current is null || stamp != _stamp)
                {
                    try
                    {
                        X509Certificate2Collection read = [];
                        read.ImportFromPemFile(file);
                        (_current, _stamp) = (read, stamp);
                    }
                    catch (Exception e) when (_current is not null && e is IOException or CryptographicException)
                    {
                        _stamp = default;
                    }
                }

                _looked = time.GetTimestamp();
                return _current;
            }
        }
    }
}
