using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>Lists with pages; all pages of one list show one moment.</summary>
internal sealed class ListRequests(ObjectStore store)
{
    public async Task AnswerAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        IQueryCollection query = context.Request.Query;
        ObjectFilter filter = ObjectFilter.Parse(definition, info.Namespace, query["labelSelector"], query["fieldSelector"]);
        long moment, limit = Number(query, "limit") ?? 0;
        string after = "";
        List<StoredObject> all;
        lock (store.Gate)
        {
            moment = MomentOf(query, ref after);
            all = store.ListAt(definition, moment) ?? throw ApiError.Expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.");
        }
        List<StoredObject> matching = [.. all.Where(filter.Matches).SkipWhile(o => after.Length > 0 && string.CompareOrdinal(o.Key, after) <= 0)];
        JsonObject metadata = new() { ["resourceVersion"] = moment.ToString() };
        if (limit > 0 && matching.Count > limit)
        {
            metadata["continue"] = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{moment} {matching[(int)limit - 1].Key}"));
            if (!filter.IsSelective)
                metadata["remainingItemCount"] = matching.Count - limit;
            matching.RemoveRange((int)limit, matching.Count - (int)limit);
        }
        await context.Response.WriteAsync(200, Render(definition, metadata, matching));
    }

    public static byte[] Render(ResourceDefinition definition, JsonObject metadata, List<StoredObject> items)
    {
        using MemoryStream body = new();
        body.Write(Encoding.UTF8.GetBytes($"{{\"kind\":\"{definition.Kind}List\",\"apiVersion\":\"{definition.Type.ApiVersion}\",\"metadata\":"));
        body.Write(metadata.Bytes());
        body.Write(",\"items\":["u8);
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0)
                body.WriteByte((byte)',');
            body.Write(items[i].Bytes);
        }
        body.Write("]}\n"u8);
        return body.ToArray();
    }

    public static long? Number(IQueryCollection query, string name)
    {
        string text = query[name].ToString();
        if (text.Length == 0)
            return null;
        return long.TryParse(text, out long number) && number >= 0
            ? number
            : throw ApiError.BadRequest($"{name}: Invalid value: \"{text}\": strconv.ParseInt: parsing \"{text}\": invalid syntax");
    }

    // The revision to show: of the page before, exactly the one asked for, or the newest.
    private long MomentOf(IQueryCollection query, ref string after)
    {
        string token = query["continue"].ToString();
        if (token.Length > 0)
        {
            try
            {
                string[] parts = Encoding.UTF8.GetString(Convert.FromBase64String(token)).Split(' ', 2);
                after = parts[1];
                return long.Parse(parts[0]);
            }
            catch (Exception e) when (e is FormatException or IndexOutOfRangeException)
            {
                throw ApiError.BadRequest("continue key is not valid");
            }
        }
        long? asked = Number(query, "resourceVersion");
        if (asked > store.Revision)
            throw ApiError.TooLargeResourceVersion(asked.Value, store.Revision);
        return query["resourceVersionMatch"] == "Exact" && asked > 0 ? asked.Value : store.Revision;
    }
}
