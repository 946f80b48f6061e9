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
