using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Identity;

/// <summary>Who sends a request.</summary>
internal sealed record UserInfo(string Name, string Uid, IReadOnlyList<string> Groups)
{
    public static UserInfo Anonymous { get; } = new("system:anonymous", "", ["system:unauthenticated"]);

    public IReadOnlyDictionary<string, string> Extra { get; init; } = new Dictionary<string, string>();

    public bool IsMaster => Groups.Contains("system:masters");

    /// <summary>The node's name when this is a node.</summary>
    public string? NodeName => Groups.Contains("system:nodes") && Name.StartsWith("system:node:") ? Name["system:node:".Length..] : null;

    public static UserInfo Authenticated(string name, string uid, IEnumerable<string> groups) =>
        new(name, uid, [.. groups.Append("system:authenticated").Distinct()]);

    public JsonObject ToJson()
    {
        JsonObject user = new() { ["username"] = Name, ["groups"] = JsonAccess.ListOf(Groups) };
        if (Uid.Length > 0)
            user["uid"] = Uid;
        if (Extra.Count > 0)
            user["extra"] = new JsonObject(Extra.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)new JsonArray(pair.Value))));
        return user;
    }
}
