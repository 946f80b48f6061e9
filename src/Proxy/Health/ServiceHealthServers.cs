using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Health;

/// <summary>What a service's health check node port tells.</summary>
/// <param name="Service">The Service.</param>
/// <param name="Port">The node port.</param>
/// <param name="LocalEndpoints">Ready endpoints on this node.</param>
public sealed record ServiceHealth(ServiceName Service, int Port, int LocalEndpoints);

/// <summary>Answers on the health check node ports of one family. Source: pkg/proxy/healthcheck/service_health.go.</summary>
/// <param name="addresses">Addresses to listen on.</param>
/// <param name="healthy">Whether the proxy keeps up.</param>
/// <param name="failed">Called with Service and message where a port cannot be bound; tried again with the next update.</param>
/// <param name="logger">Log.</param>
public sealed partial class ServiceHealthServers(
    IReadOnlyList<IPAddress> addresses, Func<bool> healthy, Action<ServiceName, string> failed, ILogger<ServiceHealthServers> logger) : IAsyncDisposable
{
    private readonly Dictionary<ServiceName, (int Port, HttpListeners Listeners)> _open = [];
    private volatile Dictionary<ServiceName, ServiceHealth> _wanted = [];

    /// <summary>Opens and closes ports so that the given services are answered for. Not to be called twice at once.</summary>
    public async Task UpdateAsync(IReadOnlyList<ServiceHealth> services, CancellationToken cancellationToken)
    {
        var wanted = services.ToDictionary(s => s.Service);
        _wanted = wanted;
        foreach ((ServiceName name, (int port, HttpListeners listeners)) in _open.ToList())
        {
            if (!wanted.TryGetValue(name, out ServiceHealth? now) || now.Port != port)
            {
                _open.Remove(name);
                await listeners.DisposeAsync();
            }
        }

        foreach (ServiceHealth service in services.Where(s => !_open.ContainsKey(s.Service)))
        {
            await OpenAsync(service, cancellationToken);
        }
    }

    /// <summary>Closes all ports.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach ((_, HttpListeners listeners) in _open.Values)
        {
            await listeners.DisposeAsync();
        }

        _open.Clear();
    }

    private async Task OpenAsync(ServiceHealth service, CancellationToken cancellationToken)
    {
        try
        {
            _open[service.Service] = (service.Port, await HttpListeners.StartAsync(
                [.. addresses.Select(a => new IPEndPoint(a, service.Port))], oneFamily: true, _ => Answer(service.Service), cancellationToken));
        }
        catch (IOException e)
        {
            LogFailed(service.Service, e.Message);
            failed(service.Service, $"node {Environment.MachineName} failed to start healthcheck \"{service.Service}\" on port {service.Port}: {e.Message}");
        }
    }

    private HttpAnswer Answer(ServiceName name)
    {
        bool proxy = healthy();
        int count = _wanted.TryGetValue(name, out ServiceHealth? service) ? service.LocalEndpoints : 0;
        string body = $"{{\n\t\"service\": {{\n\t\t\"namespace\": {Quote(name.Namespace)},\n\t\t\"name\": {Quote(name.Name)}\n\t}},\n\t\"localEndpoints\": {count},\n\t\"serviceProxyHealthy\": {(proxy ? "true" : "false")}\n}}";
        return new HttpAnswer(count > 0 && proxy ? 200 : 503, "application/json", body, $"{count}");
    }

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.Default)}\"";

    [LoggerMessage(4121, LogLevel.Error, "Health check node port of {Service} could not be opened, it is tried again with the next change: {Error}")]
    private partial void LogFailed(ServiceName service, string error);
}
