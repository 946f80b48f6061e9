using System.Security.Cryptography;
using System.Text;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Images;

/// <summary>One provider with its cache: equal questions at the same time are one run. Source: pkg/credentialprovider/plugin/plugin.go.</summary>
internal sealed class CredentialProvider(CredentialProviderOptions options, ICredentialProviderProgram program, IPodAccounts accounts, TimeProvider time)
{
    private const string Global = "<global>";
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Base, string Account), (CredentialAnswer Answer, DateTimeOffset Expires)> _cache = [];
    private readonly Dictionary<string, Task<CredentialAnswer>> _running = [];

    public string Name => options.Name;

    /// <summary>Credentials by pattern; empty where the provider is not for this image or pod.</summary>
    /// <exception cref="CredentialProviderException">No usable answer.</exception>
    /// <exception cref="KubernetesException">The service account or a token of it cannot be had.</exception>
    public async Task<IReadOnlyList<(string Pattern, RegistryCredential Credential)>> FindAsync(Pod pod, string repository, CancellationToken cancellationToken)
    {
        if (!options.MatchImages.Any(m => RegistryKeyring.Matches(m, repository)) || await AccountAsync(pod, cancellationToken) is not { } account)
        {
            return [];
        }

        CredentialAnswer answer = Cached(repository, account.CacheKey) ?? await AskAsync(repository, account, cancellationToken);
        return [.. answer.Auth.Select(a => (a.Pattern, new RegistryCredential(a.Username, a.Password) { ServiceAccount = account.Owner }))];
    }

    /// <summary>Null where the provider is not asked for this pod.</summary>
    private async Task<Account?> AccountAsync(Pod pod, CancellationToken cancellationToken)
    {
        string name = pod.Spec.ServiceAccountName ?? "";
        if (options.Token is not { } wanted || name.Length == 0)
        {
            return options.Token is { RequireServiceAccount: true } ? null : Account.None;
        }

        ServiceAccount account = await accounts.GetAsync(pod.Metadata.Namespace ?? "", name, cancellationToken);
        IReadOnlyDictionary<string, string> all = account.Metadata.Annotations;
        if (wanted.RequiredAnnotations.Any(a => !all.ContainsKey(a)))
        {
            return null; // the account has not opted in
        }

        var sent = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string key in wanted.RequiredAnnotations.Concat(wanted.OptionalAnnotations).Where(all.ContainsKey))
        {
            sent[key] = all[key];
        }

        string token = await accounts.TokenAsync(pod, account, wanted.Audience, cancellationToken);
        var owner = new CredentialOwner(account.Metadata.Uid ?? "", account.Metadata.Namespace ?? "", account.Metadata.Name ?? "");
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        string annotations = string.Join('\0', sent.Select(a => $"{a.Key}\0{a.Value}"));
        string cacheKey = string.Join('\0', owner.Namespace, owner.Name, owner.Uid, wanted.CachePerToken ? hash : "", annotations);
        return new Account(owner, token, sent, cacheKey, hash + '\0' + annotations);
    }

    private CredentialAnswer? Cached(string repository, string account)
    {
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            foreach (string key in (string[])[repository, RegistryKeyring.Registry(repository), Global])
            {
                if (_cache.TryGetValue((key, account), out var held) && now <= held.Expires)
                {
                    return held.Answer;
                }
            }

            return null;
        }
    }

    private async Task<CredentialAnswer> AskAsync(string repository, Account account, CancellationToken cancellationToken)
    {
        string question = repository + '\0' + account.Question;
        Task<CredentialAnswer> run;
        lock (_lock)
        {
            if (!_running.TryGetValue(question, out run!))
            {
                // Shared, so no single caller's end cancels it; the program's own limit ends it.
                _running[question] = run = program.AskAsync(new CredentialRequest(repository, account.Token, account.Annotations), CancellationToken.None);
                _ = run.ContinueWith(_ => Forget(question), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }

        CredentialAnswer answer = await run.WaitAsync(cancellationToken);
        if (account.Token.Length > 0 && options.Token is { CachePerToken: false } && answer.Auth.Any(a => a.Password == account.Token))
        {
            throw new CredentialProviderException($"credential provider {options.Name} gave the service account's token as the password, which is allowed only with cacheType Token");
        }

        Keep(answer, repository, account.CacheKey);
        return answer;
    }

    private void Forget(string question)
    {
        lock (_lock)
        {
            _running.Remove(question);
        }
    }

    private void Keep(CredentialAnswer answer, string repository, string account)
    {
        TimeSpan life = answer.CacheDuration ?? options.DefaultCacheDuration;
        if (life <= TimeSpan.Zero)
        {
            return;
        }

        string key = answer.CacheKeyType switch { "Image" => repository, "Registry" => RegistryKeyring.Registry(repository), _ => Global };
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            foreach (var old in _cache.Where(c => now > c.Value.Expires).Select(c => c.Key).ToList())
            {
                _cache.Remove(old);
            }

            _cache[(key, account)] = (answer, now + life);
        }
    }

    private sealed record Account(CredentialOwner? Owner, string Token, IReadOnlyDictionary<string, string> Annotations, string CacheKey, string Question)
    {
        public static readonly Account None = new(null, "", new Dictionary<string, string>(), "", "");
    }
}
