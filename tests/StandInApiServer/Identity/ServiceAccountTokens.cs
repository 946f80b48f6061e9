using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Identity;

/// <summary>Tokens of service accounts: JWTs signed with RS256, bound to pods where asked.</summary>
internal sealed class ServiceAccountTokens(RSA key, ObjectStore store, TimeProvider time)
{
    public const string Issuer = "https://kubernetes.default.svc.cluster.local";
    private readonly string _keyId = Base64Url.EncodeToString(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));

    /// <summary>The key in the folder, made there when absent (sa.key); without a folder a fresh one.</summary>
    public static RSA KeyIn(string? folder)
    {
        string? path = folder is null ? null : Path.Combine(folder, "sa.key");
        RSA key = RSA.Create(2048);
        if (path is not null && File.Exists(path))
            key.ImportFromPem(File.ReadAllText(path));
        else if (path is not null)
            SecretFile.Write(path, Encoding.ASCII.GetBytes(key.ExportRSAPrivateKeyPem() + "\n"));
        return key;
    }

    /// <summary>Answers a TokenRequest.</summary>
    public JsonObject Issue(string namespaceName, string name, JsonObject request)
    {
        StoredObject account = store.Get(ResourceTable.ServiceAccounts, namespaceName, name) ?? throw ApiError.NotFound(ResourceTable.ServiceAccounts, name);
        long seconds = request.Number("spec", "expirationSeconds") ?? 3600;
        if (seconds < 600)
            throw new ApiError(422, "Invalid", "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: " + seconds + ": may not specify a duration less than 10 minutes");
        List<string> audiences = request.Texts("spec", "audiences");
        if (audiences.Count == 0)
            audiences = [Issuer];
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        JsonObject kubernetes = new()
        {
            ["namespace"] = namespaceName,
            ["serviceaccount"] = new JsonObject { ["name"] = name, ["uid"] = account.Uid },
        };
        Bind(kubernetes, namespaceName, request.Map("spec", "boundObjectRef"));
        // Upstream lets the in-cluster tokens of an hour live a year and marks when they should have been renewed.
        long expires = now + (seconds == 3607 ? 365 * 24 * 3600 : seconds);
        if (seconds == 3607)
            kubernetes["warnafter"] = now + seconds;
        JsonObject claims = new()
        {
            ["aud"] = JsonAccess.ListOf(audiences),
            ["exp"] = expires,
            ["iat"] = now,
            ["iss"] = Issuer,
            ["jti"] = Guid.NewGuid().ToString(),
            ["kubernetes.io"] = kubernetes,
            ["nbf"] = now,
            ["sub"] = $"system:serviceaccount:{namespaceName}:{name}",
        };
        JsonObject answer = request.Copy();
        answer["apiVersion"] = "authentication.k8s.io/v1";
        answer["kind"] = "TokenRequest";
        answer.Ensure("metadata")["name"] = name;
        answer.Ensure("metadata")["namespace"] = namespaceName;
        answer.Ensure("metadata")["creationTimestamp"] = ObjectWriter.TimeText(time.GetUtcNow());
        answer.Ensure("spec")["audiences"] = JsonAccess.ListOf(audiences);
        answer.Ensure("spec")["expirationSeconds"] = seconds;
        answer["status"] = new JsonObject
        {
            ["token"] = Sign(claims),
            ["expirationTimestamp"] = ObjectWriter.TimeText(DateTimeOffset.FromUnixTimeSeconds(now + seconds)),
        };
        return answer;
    }

    /// <summary>The user of a token, or null when it is not valid (any more).</summary>
    public UserInfo? Verify(string token, IReadOnlyList<string> audiences)
    {
        string[] parts = token.Split('.');
        if (parts.Length != 3)
            return null;
        try
        {
            byte[] signature = Base64Url.DecodeFromChars(parts[2]);
            if (!key.VerifyData(Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
                return null;
            JsonNode? claims = JsonNode.Parse(Base64Url.DecodeFromChars(parts[1]));
            long now = time.GetUtcNow().ToUnixTimeSeconds();
            if (claims.Number("exp") <= now || claims.Number("nbf") > now + 60 || !claims.Texts("aud").Intersect(audiences).Any())
                return null;
            return UserOf(claims.Map("kubernetes.io"));
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return null;
        }
    }

    private UserInfo? UserOf(JsonObject? bound)
    {
        string namespaceName = bound.Text("namespace") ?? "", name = bound.Text("serviceaccount", "name") ?? "";
        StoredObject? account = store.Get(ResourceTable.ServiceAccounts, namespaceName, name);
        if (account is null || account.Uid != bound.Text("serviceaccount", "uid"))
            return null;
        Dictionary<string, string> extra = [];
        foreach ((string kind, ResourceDefinition definition) in new[] { ("pod", ResourceTable.Pods), ("secret", ResourceTable.Secrets) })
            if (bound.Map(kind) is { } reference)
            {
                if (store.Get(definition, namespaceName, reference.Text("name") ?? "")?.Uid != reference.Text("uid"))
                    return null;
                extra[$"authentication.kubernetes.io/{kind}-name"] = reference.Text("name") ?? "";
                extra[$"authentication.kubernetes.io/{kind}-uid"] = reference.Text("uid") ?? "";
            }
        return UserInfo.Authenticated(
            $"system:serviceaccount:{namespaceName}:{name}", account.Uid, ["system:serviceaccounts", $"system:serviceaccounts:{namespaceName}"])
            with
        { Extra = extra };
    }

    private void Bind(JsonObject kubernetes, string namespaceName, JsonObject? reference)
    {
        if (reference is null)
            return;
        ResourceDefinition definition = reference.Text("kind") switch
        {
            "Pod" => ResourceTable.Pods,
            "Secret" => ResourceTable.Secrets,
            _ => throw ApiError.BadRequest($"cannot bind token to object of type {reference.Text("kind")}"),
        };
        string name = reference.Text("name") ?? "";
        StoredObject target = store.Get(definition, namespaceName, name) ?? throw ApiError.NotFound(definition, name);
        if (reference.Text("uid") is { Length: > 0 } uid && uid != target.Uid)
            throw ApiError.Conflict(definition, name, $"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated");
        kubernetes[definition == ResourceTable.Pods ? "pod" : "secret"] = new JsonObject { ["name"] = name, ["uid"] = target.Uid };
        if (target.Value.Text("spec", "nodeName") is { Length: > 0 } node && store.Get(ResourceTable.Nodes, "", node) is { } host)
            kubernetes["node"] = new JsonObject { ["name"] = node, ["uid"] = host.Uid };
    }

    private string Sign(JsonObject claims)
    {
        string header = Base64Url.EncodeToString(new JsonObject { ["alg"] = "RS256", ["kid"] = _keyId }.Bytes());
        string signed = $"{header}.{Base64Url.EncodeToString(claims.Bytes())}";
        byte[] signature = key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }
}
