namespace NodeAgent.Grpc.Tests;

/// <summary>A socket path in an own folder that is removed at the end.</summary>
internal sealed class TemporarySocket : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gcri");

    public string Path => System.IO.Path.Combine(_folder.FullName, "s.sock");

    public void Dispose() => _folder.Delete(recursive: true);
}
