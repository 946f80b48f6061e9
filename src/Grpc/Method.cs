using Google.Protobuf;

namespace NodeAgent.Grpc;

/// <summary>One RPC: its path and how its messages are read.</summary>
/// <typeparam name="TRequest">Request message.</typeparam>
/// <typeparam name="TResponse">Response message.</typeparam>
public sealed class Method<TRequest, TResponse>
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    /// <param name="serviceName">Full service name, e.g. runtime.v1.RuntimeService.</param>
    /// <param name="name">RPC name, e.g. Version.</param>
    /// <param name="requestParser">Reads requests (server side).</param>
    /// <param name="responseParser">Reads responses (client side).</param>
    public Method(string serviceName, string name, MessageParser<TRequest> requestParser, MessageParser<TResponse> responseParser)
    {
        ServiceName = serviceName;
        Name = name;
        FullName = $"/{serviceName}/{name}";
        RequestParser = requestParser;
        ResponseParser = responseParser;
    }

    /// <summary>Full service name.</summary>
    public string ServiceName { get; }

    /// <summary>RPC name without service.</summary>
    public string Name { get; }

    /// <summary>The HTTP/2 path: "/service/name".</summary>
    public string FullName { get; }

    /// <summary>Reads requests.</summary>
    public MessageParser<TRequest> RequestParser { get; }

    /// <summary>Reads responses.</summary>
    public MessageParser<TResponse> ResponseParser { get; }
}

/// <summary>What one call needs beside its request.</summary>
/// <param name="Timeout">Time until DEADLINE_EXCEEDED, from now; null = none.</param>
/// <param name="Headers">Extra request headers.</param>
public readonly record struct CallOptions(TimeSpan? Timeout = null, Metadata? Headers = null);
