using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>Watches: one frame a line, until the time asked for has passed.</summary>
internal sealed class WatchRequests(ObjectStore store, TimeProvider time, TimeSpan bookmarkPeriod, CancellationToken stopping)
{
    public async Task AnswerAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        IQueryCollection query = context.Request.Query;
        string? fields = info.Name is null ? query["fieldSelector"].ToString() : $"metadata.name={info.Name}";
        ObjectFilter filter = ObjectFilter.Parse(definition, info.Namespace, query["labelSelector"], fields);
        bool bookmarks = query["allowWatchBookmarks"].ToString() is "true" or "1";
        bool streamingList = query["sendInitialEvents"].ToString() is "true" or "1";
        if (streamingList && (!bookmarks || query["resourceVersionMatch"] != "NotOlderThan"))
            throw ApiError.Invalid(definition, "", "sendInitialEvents", "Forbidden: sendInitialEvents needs allowWatchBookmarks and resourceVersionMatch=NotOlderThan");
        long from = ListRequests.Number(query, "resourceVersion") ?? 0;
        TimeSpan limit = TimeSpan.FromSeconds(ListRequests.Number(query, "timeoutSeconds") is > 0 and { } seconds ? seconds : Random.Shared.Next(1800, 3600));
        WatchSubscription? subscription = store.Subscribe(definition, filter, streamingList || from == 0 ? null : from, out List<StoredObject> initial);
        context.Response.ContentType = "application/json";
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        end.CancelAfter(limit);
        Stream body = context.Response.Body;
        if (subscription is null)
        {
            await WriteAsync(body, "ERROR", store.Expired(from).ToStatus().Bytes(), end.Token);
            return;
        }
        using (subscription)
            await StreamAsync(body, subscription, initial, new Wishes(bookmarks, streamingList), end.Token);
    }

    private sealed record Wishes(bool Bookmarks, bool StreamingList);

    private async Task StreamAsync(Stream body, WatchSubscription subscription, List<StoredObject> initial, Wishes wishes, CancellationToken end)
    {
        try
        {
            foreach (StoredObject item in initial)
                await WriteAsync(body, "ADDED", item.Bytes, end);
            if (wishes.StreamingList)
                await WriteAsync(body, "BOOKMARK", Bookmark(subscription.Definition, subscription.Start, true), end);
            await body.FlushAsync(end);
            List<WatchFrame> frames = [];
            long marked = time.GetTimestamp();
            while (true)
            {
                Task? next = subscription.Take(frames, out long revision);
                if (next is null)
                {
                    if (!await SendAsync(body, subscription, frames, end))
                        return;
                    continue;
                }
                if (await WaitAsync(next, bookmarkPeriod - time.GetElapsedTime(marked), end))
                    continue;
                marked = time.GetTimestamp();
                if (!wishes.Bookmarks)
                    continue;
                await WriteAsync(body, "BOOKMARK", Bookmark(subscription.Definition, revision, false), end);
                await body.FlushAsync(end);
            }
        }
        catch (OperationCanceledException)
        {
            // The time asked for has passed, the client went, or the server stops: each ends the stream in good order.
        }
        catch (IOException)
        {
            // The client's connection broke.
        }
    }

    private async Task<bool> SendAsync(Stream body, WatchSubscription subscription, List<WatchFrame> frames, CancellationToken end)
    {
        foreach (WatchFrame frame in frames)
            await WriteAsync(body, frame.Type, frame.Object.Bytes, end);
        frames.Clear();
        if (subscription.CutOff)
            await WriteAsync(body, "ERROR", store.Expired(0).ToStatus().Bytes(), end);
        await body.FlushAsync(end);
        return !subscription.CutOff;
    }

    // False when the period passed first.
    private async Task<bool> WaitAsync(Task change, TimeSpan period, CancellationToken end)
    {
        if (period <= TimeSpan.Zero)
            return false;
        try
        {
            await change.WaitAsync(period, time, end);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static byte[] Bookmark(ResourceDefinition definition, long revision, bool initialEventsEnd)
    {
        JsonObject metadata = new() { ["resourceVersion"] = revision.ToString(), ["creationTimestamp"] = null };
        if (initialEventsEnd)
            metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        return new JsonObject { ["kind"] = definition.Kind, ["apiVersion"] = definition.Type.ApiVersion, ["metadata"] = metadata }.Bytes();
    }

    private static async Task WriteAsync(Stream body, string type, byte[] value, CancellationToken end)
    {
        byte[] frame = [.. "{\"type\":\""u8, .. System.Text.Encoding.ASCII.GetBytes(type), .. "\",\"object\":"u8, .. value, .. "}\n"u8];
        await body.WriteAsync(frame, end);
    }
}
