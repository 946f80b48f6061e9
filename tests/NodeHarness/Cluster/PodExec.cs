using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Harness.Cluster;

/// <summary>What a command in a container answered.</summary>
public sealed record ExecAnswer(string Output, string Error, string Status)
{
    /// <summary>Whether it ended with 0.</summary>
    public bool Succeeded => (string?)JsonNode.Parse(Status.Length == 0 ? "{}" : Status)?["status"] == "Success";
}

/// <summary>exec through the API server, over WebSockets as kubectl's newer versions do.</summary>
public static class PodExec
{
    private const byte StandardOutput = 1, StandardError = 2, ErrorStatus = 3;

    /// <summary>Runs a command to its end.</summary>
    public static async Task<ExecAnswer> RunAsync(NodeCluster cluster, string space, string pod, IEnumerable<string> command, TimeSpan? limit = null)
    {
        ClientConfiguration configuration = cluster.Client.Configuration;
        using ClientWebSocket socket = new();
        using CancellationTokenSource deadline = new(limit ?? TimeSpan.FromSeconds(20));
        socket.Options.AddSubProtocol("v4.channel.k8s.io");
        if (configuration.ClientCertificate is { } source && await source.GetAsync(deadline.Token) is { } certificate)
            socket.Options.ClientCertificates.Add(certificate.Leaf);
        if (configuration.Credentials is { } credentials && await credentials.GetAsync(deadline.Token) is { } header)
            socket.Options.SetRequestHeader("Authorization", header.ToString());
        // The server is this harness's own, on this machine.
        socket.Options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        string query = string.Join('&', command.Select(part => "command=" + Uri.EscapeDataString(part)));
        UriBuilder address = new(configuration.Server)
        {
            Scheme = "wss",
            Path = $"/api/v1/namespaces/{space}/pods/{pod}/exec",
            Query = $"{query}&stdout=true&stderr=true",
        };
        await socket.ConnectAsync(address.Uri, deadline.Token);
        return await ReadAsync(socket, deadline.Token);
    }

    private static async Task<ExecAnswer> ReadAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        Dictionary<byte, MemoryStream> channels = new() { [StandardOutput] = new(), [StandardError] = new(), [ErrorStatus] = new() };
        byte[] buffer = new byte[64 << 10];
        MemoryStream message = new();
        while (socket.State == WebSocketState.Open)
        {
            ValueWebSocketReceiveResult part = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close) break;
            message.Write(buffer, 0, part.Count);
            if (!part.EndOfMessage) continue;
            if (message.Length > 1 && channels.TryGetValue(message.GetBuffer()[0], out MemoryStream? channel))
                channel.Write(message.GetBuffer(), 1, (int)message.Length - 1);
            message.SetLength(0);
        }
        return new ExecAnswer(Text(StandardOutput), Text(StandardError), Text(ErrorStatus));

        string Text(byte channel) => Encoding.UTF8.GetString(channels[channel].ToArray());
    }
}
