using System.Globalization;
using System.Security.Cryptography;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Certificates;

/// <summary>
/// Certificate and key in one PEM file each time (PAIR-DATE.pem, mode 0600), with PAIR-current.pem as a link to the newest, as
/// upstream's file store (client-go util/certificate), so that either agent finds what the other left.
/// </summary>
public sealed class CertificateStore
{
    private readonly string _directory;
    private readonly string _pair;
    private readonly string _certificateFile;
    private readonly string _keyFile;
    private readonly TimeProvider _time;

    /// <summary>Opens the folder and finishes a switch that was cut off.</summary>
    /// <param name="directory">The certificate folder, for example /var/lib/kubelet/pki.</param>
    /// <param name="pair">For example kubelet-client or kubelet-server.</param>
    /// <param name="certificateFile">A pair to start with, when there is no current link; empty for none.</param>
    /// <param name="keyFile">Its key.</param>
    /// <param name="time">The clock that names files.</param>
    public CertificateStore(string directory, string pair, string certificateFile = "", string keyFile = "", TimeProvider? time = null)
    {
        _directory = Path.GetFullPath(directory);
        _pair = pair;
        _certificateFile = certificateFile;
        _keyFile = keyFile;
        _time = time ?? TimeProvider.System;
        if (!Path.Exists(CurrentPath) && new FileInfo(UpdatedPath).LinkTarget is not null)
            File.Move(UpdatedPath, CurrentPath, overwrite: true);
    }

    /// <summary>The link to the newest pair.</summary>
    public string CurrentPath => FileOf("current");

    private string UpdatedPath => FileOf("updated");

    /// <summary>The pair in use; null when there is none.</summary>
    /// <exception cref="CryptographicException">A file is there but no certificate with its key.</exception>
    public ClientCertificate? Current() => CurrentPem() is { } pem ? ClientCertificate.FromPem(pem.Certificate, pem.Key) : null;

    /// <summary>The PEM texts of the pair in use; null when there is none.</summary>
    internal (string Certificate, string Key)? CurrentPem()
    {
        (string Certificate, string Key)[] places =
        [
            (CurrentPath, CurrentPath),
            (_certificateFile, _keyFile),
            (Path.Combine(_directory, _pair + ".crt"), Path.Combine(_directory, _pair + ".key")),
        ];
        foreach ((string certificate, string key) in places)
        {
            if (certificate.Length > 0 && key.Length > 0 && File.Exists(certificate) && File.Exists(key))
                return (File.ReadAllText(certificate), File.ReadAllText(key));
        }
        return null;
    }

    /// <summary>Stores a new pair and points the link at it. The pair is read back before the link moves.</summary>
    /// <param name="certificatePem">Leaf first, then intermediates.</param>
    /// <param name="keyPem">The key.</param>
    public ClientCertificate Update(string certificatePem, string keyPem)
    {
        Directory.CreateDirectory(_directory);
        string stamp = _time.GetLocalNow().ToString("yyyy-MM-dd-HH-mm-ss", CultureInfo.InvariantCulture);
        string file = FileOf(stamp);
        string text = certificatePem.TrimEnd() + "\n" + keyPem.TrimEnd() + "\n";
        SecretFile.Write(file, System.Text.Encoding.ASCII.GetBytes(text));
        string stored = File.ReadAllText(file);
        ClientCertificate pair = ClientCertificate.FromPem(stored, stored);
        if (Path.Exists(CurrentPath) && new FileInfo(CurrentPath).LinkTarget is null)
            throw new IOException($"{CurrentPath} is a file, not a link; move it away");
        File.Delete(UpdatedPath);
        File.CreateSymbolicLink(UpdatedPath, file);
        File.Move(UpdatedPath, CurrentPath, overwrite: true);
        return pair;
    }

    private string FileOf(string qualifier) => Path.Combine(_directory, $"{_pair}-{qualifier}.pem");
}
