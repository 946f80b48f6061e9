using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace NodeAgent.Harness.ControlPlanes;

/// <summary>
/// The programs of an official Kubernetes release, downloaded once and verified by the SHA-256 sums that stand beside them.
/// A program is in the folder under its name only after its sum was right.
/// </summary>
/// <param name="http">The client; its time limit bounds each request.</param>
/// <param name="releases">Where the releases are, as https://dl.k8s.io/release.</param>
/// <param name="version">The release, as v1.36.2.</param>
/// <param name="folder">Where the programs are kept.</param>
/// <param name="announce">Told at each program.</param>
public sealed class OfficialRelease(HttpClient http, Uri releases, string version, string folder, Action<string> announce)
{
    private static readonly string[] Programs = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"];

    /// <summary>Where releases are downloaded from: $NODE_AGENT_RELEASES (off = nowhere), else the project's own site.</summary>
    public static Uri? Source(string? setting) => setting switch
    {
        null or "" => new Uri("https://dl.k8s.io/release/"),
        "off" => null,
        string address => new Uri(address.TrimEnd('/') + "/"),
    };

    /// <summary>Brings what is missing into the folder and returns it.</summary>
    /// <exception cref="HttpRequestException">The release cannot be reached, or does not hold a program.</exception>
    /// <exception cref="InvalidDataException">A program is not what its checksum says; nothing of it is kept.</exception>
    public async Task<string> FetchAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        string architecture = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
        foreach (string program in Programs)
        {
            string path = Path.Combine(folder, program);
            if (File.Exists(path))
                continue;
            Uri source = new(releases, $"{version}/bin/linux/{architecture}/{program}");
            string wanted = (await http.GetStringAsync(new Uri(source + ".sha256"), cancel)).Split(' ', '\n')[0].Trim();
            announce($"download {source}");
            await FetchProgramAsync(source, wanted, path, cancel);
        }
        return folder;
    }

    private async Task FetchProgramAsync(Uri source, string wanted, string path, CancellationToken cancel)
    {
        string part = path + ".part";
        try
        {
            using (HttpResponseMessage response = await http.GetAsync(source, HttpCompletionOption.ResponseHeadersRead, cancel))
            {
                response.EnsureSuccessStatusCode();
                await using FileStream file = File.Create(part);
                await response.Content.CopyToAsync(file, cancel);
            }
            await using (FileStream file = File.OpenRead(part))
            {
                string actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
                if (!actual.Equals(wanted, StringComparison.OrdinalIgnoreCase))
                    throw new InvalidDataException($"{source}: its SHA-256 sum is {actual}, the release says {wanted}. Try again, or set KUBERNETES_BIN to a folder with programs you trust");
            }
            File.SetUnixFileMode(part, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.Move(part, path, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
    }
}
