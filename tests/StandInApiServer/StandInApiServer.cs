using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.StandIn.Admission;
using NodeAgent.StandIn.Controllers;
using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Nodes;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn;

/// <summary>An API server in memory that behaves like kube-apiserver v1.36 with its controllers, as far as a node can tell.</summary>
public sealed class StandInApiServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly WebApplication _application;
    private readonly Journal? _journal;
    private readonly CertificateIssuer _issuer;
    private readonly RSA _tokenKey;
    private readonly ControllerLoop? _controllers;
    private Task _controlling = Task.CompletedTask;

    private StandInApiServer(StandInOptions options)
    {
        string? folder = options.DataFolder;
        if (folder is not null)
            Directory.CreateDirectory(folder);
        _issuer = folder is null ? CertificateIssuer.Create() : CertificateIssuer.InFolder(folder);
        _journal = folder is null ? null : new Journal(Path.Combine(folder, "state.jsonl"));
        Store = new ObjectStore(options.HistoryLimit, _journal);
        Writer = new ObjectWriter(Store, new AdmissionChain(Store, new ServiceAllocator(Store), options.Time), options.Time);
        _tokenKey = ServiceAccountTokens.KeyIn(folder);
        ServiceAccountTokens tokens = new(_tokenKey, Store, options.Time);
        Subresources subresources = new(Writer, tokens);
        Authorizer authorizer = new(Store);
        Authenticator authenticator = new(_issuer, tokens, Store, new Dictionary<string, UserInfo>(), options.Time);
        ResourceRequests resources = new(
            Writer, new ListRequests(Store), new WatchRequests(Store, options.Time, options.BookmarkPeriod, _stopping.Token), subresources);
        (string certificate, string key) = _issuer.IssueClient("kube-apiserver-kubelet-client", "system:masters");
        ApiEndpoint endpoint = new(
            authenticator, authorizer, resources, new Reviews(authenticator, authorizer),
            new KubeletProxy(Store, ClientCertificate.FromPem(certificate, key).Leaf));
        _application = Build(options, endpoint);
        if (options.Controllers)
            _controllers = new ControllerLoop(Writer, subresources, _issuer, options);
    }

    /// <summary>Where the server listens.</summary>
    public Uri Address { get; private set; } = new("https://127.0.0.1");

    /// <summary>The certificate authority of server and clients, as PEM.</summary>
    public string CertificateAuthorityPem => _issuer.CertificatePem;

    internal ObjectStore Store { get; }

    internal ObjectWriter Writer { get; }

    /// <summary>Starts a server; it serves until it is disposed.</summary>
    public static async Task<StandInApiServer> StartAsync(StandInOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new StandInOptions();
        StandInApiServer server = new(options);
        server.Store.Load();
        await server._application.StartAsync(cancellationToken);
        IServerAddressesFeature addresses = server._application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
        int port = new Uri(addresses.Addresses.First()).Port;
        server.Address = new Uri($"https://{Reachable(options.Bind)}:{port}");
        new ClusterSeed(server.Writer, server._issuer.CertificatePem).Plant(Reachable(options.Bind), port);
        if (server._controllers is { } controllers)
            server._controlling = Task.Run(() => controllers.RunAsync(server._stopping.Token), CancellationToken.None);
        return server;
    }

    /// <summary>A kubeconfig for a user with a fresh client certificate.</summary>
    public KubeconfigFile Kubeconfig(string user, params string[] groups)
    {
        (string certificate, string key) = _issuer.IssueClient(user, groups);
        return Credentials.File(Address, _issuer.CertificatePem, user, new KubeconfigUser
        {
            ClientCertificateData = System.Text.Encoding.ASCII.GetBytes(certificate),
            ClientKeyData = System.Text.Encoding.ASCII.GetBytes(key),
        });
    }

    /// <summary>A kubeconfig with a bearer token, for example of a bootstrap token or service account.</summary>
    public KubeconfigFile KubeconfigForToken(string name, string token) =>
        Credentials.File(Address, _issuer.CertificatePem, name, new KubeconfigUser { Token = token });

    /// <summary>Connection settings of an administrator.</summary>
    public ClientConfiguration AdminConfiguration() => KubeconfigLoader.Resolve(Kubeconfig("kubernetes-admin", "system:masters"));

    /// <summary>Connection settings of a node.</summary>
    public ClientConfiguration NodeConfiguration(string node) => KubeconfigLoader.Resolve(Kubeconfig($"system:node:{node}", "system:nodes"));

    /// <summary>Connection settings of kube-proxy.</summary>
    public ClientConfiguration ProxyConfiguration() => KubeconfigLoader.Resolve(Kubeconfig("system:kube-proxy"));

    /// <summary>Makes a bootstrap token (kube-system/bootstrap-token-…) that lives a day; answers it as id.secret.</summary>
    public string CreateBootstrapToken() => ClusterSeed.BootstrapToken(Writer);

    /// <summary>Forgets the history of changes: watches from earlier versions and continue tokens are answered with 410.</summary>
    public void ForgetHistory() => Store.Compact();

    /// <summary>Stops serving: open watches end, the state file is closed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _controlling;
        using (CancellationTokenSource limit = new(TimeSpan.FromSeconds(2)))
            await _application.StopAsync(limit.Token);
        await _application.DisposeAsync();
        _journal?.Dispose();
        _tokenKey.Dispose();
        _stopping.Dispose();
    }

    private WebApplication Build(StandInOptions options, ApiEndpoint endpoint)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        X509Certificate2 certificate = ServerCertificate(options);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.LargestRequest;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 100;
            kestrel.Listen(options.Bind, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(new HttpsConnectionAdapterOptions
                {
                    ServerCertificate = certificate,
                    ClientCertificateMode = ClientCertificateMode.AllowCertificate,
                    ClientCertificateValidation = (_, _, _) => true,
                });
            });
        });
        WebApplication application = builder.Build();
        application.Run(context => ServeAsync(endpoint, context));
        return application;
    }

    private static async Task ServeAsync(ApiEndpoint endpoint, HttpContext context)
    {
        try
        {
            await endpoint.HandleAsync(context);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
        {
            await context.Response.WriteAsync(new ApiError(e.StatusCode, e.StatusCode == 413 ? "RequestEntityTooLarge" : "BadRequest", e.Message));
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await Console.Error.WriteLineAsync($"{context.Request.Method} {context.Request.Path}: {e}");
            await context.Response.WriteAsync(new ApiError(500, "InternalError", $"Internal error occurred: {e.Message}"));
        }
    }

    private X509Certificate2 ServerCertificate(StandInOptions options)
    {
        List<IPAddress> addresses = [IPAddress.Loopback, options.Bind, IPAddress.Parse(ServiceAllocator.KubernetesAddress)];
        List<string> names =
        [
            "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", Dns.GetHostName(),
        ];
        foreach (string name in options.CertificateNames)
            if (IPAddress.TryParse(name, out IPAddress? address))
                addresses.Add(address);
            else
                names.Add(name);
        if (IPAddress.Any.Equals(options.Bind))
            addresses.Add(Reachable(options.Bind));
        return _issuer.IssueServer(addresses, names);
    }

    // The wildcard address is no place to go to: take the one that the default route uses.
    private static IPAddress Reachable(IPAddress bind)
    {
        if (!IPAddress.Any.Equals(bind))
            return bind;
        try
        {
            using Socket probe = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            probe.Connect("192.0.2.1", 9);
            return ((IPEndPoint)probe.LocalEndPoint!).Address;
        }
        catch (SocketException)
        {
            return IPAddress.Loopback;
        }
    }
}
