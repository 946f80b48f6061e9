using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Tests.Rest;

/// <summary>An HTTPS server on loopback whose answers a test writes.</summary>
internal sealed class ScriptedApiServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    private ScriptedApiServer(WebApplication application, TestCertificates certificates)
    {
        _application = application;
        Certificates = certificates;
    }

    internal TestCertificates Certificates { get; }

    internal Func<HttpContext, Task> Answer { get; set; } = context => Task.CompletedTask;

    internal ConcurrentQueue<string> Requests { get; } = [];

    internal ConcurrentDictionary<string, bool> Connections { get; } = [];

    internal Uri Address { get; private set; } = new("https://localhost");

    internal static async Task<ScriptedApiServer> StartAsync(string? dns = null)
    {
        TestCertificates certificates = new();
        X509Certificate2 server = certificates.Server(dns);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = server;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.AllowAnyClientCertificate();
        })));
        WebApplication application = builder.Build();
        ScriptedApiServer scripted = new(application, certificates);
        application.Run(async context =>
        {
            scripted.Requests.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
            scripted.Connections[context.Connection.Id] = true;
            await scripted.Answer(context);
        });
        await application.StartAsync();
        string address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        scripted.Address = new Uri(address);
        return scripted;
    }

    internal ClientConfiguration Configuration => new()
    {
        Server = Address,
        Source = "test.conf",
        CertificateAuthority = FixedCertificateAuthorities.FromPem(Certificates.AuthorityPem),
    };

    internal KubernetesClient Client(KubernetesClientOptions? options = null, TimeProvider? time = null) =>
        new(Configuration, options ?? new KubernetesClientOptions { Qps = 0 }, time);

    internal static async Task JsonAsync(HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json);
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource now = new(TimeSpan.FromMilliseconds(200));
        try
        {
            await _application.StopAsync(now.Token);
        }
        catch (OperationCanceledException)
        {
        }
        await _application.DisposeAsync();
        Certificates.Dispose();
    }
}
