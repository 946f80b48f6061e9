using System.Globalization;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>
/// Lists and watches one kind without end. A broken or ended watch goes on from the last resource version seen; an expired one, or
/// an error that casts doubt on it, leads to a new list. Between failures it waits, longer each time, at random.
/// </summary>
internal sealed partial class Reflector<T>(
    IKubernetesClient client, InformerOptions options, IReflectorTarget<T> target, TimeProvider time, ILogger logger)
    where T : class, IKubernetesResource<T>
{
    private static readonly TimeSpan ShortWatch = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StreamSilence = TimeSpan.FromSeconds(30);
    private readonly RetryDelay _delay = new(options.InitialBackoff, options.MaximumBackoff, time);
    private string? _resourceVersion;
    private string? _seen;
    private bool _streaming = options.StreamingList;
    private bool _failing;
    private bool _first = true;

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (await RoundAsync(cancellationToken))
                    continue;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (ApiException e)
            {
                // 429 says nothing about the resource version; any other refusal may.
                if (!e.IsTooManyRequests)
                    _resourceVersion = null;
                Failed(e, e.IsExpired);
            }
            catch (KubernetesException e)
            {
                Failed(e, expected: false);
            }
#pragma warning disable CA1031 // A credential plugin, a certificate file, a projection: whatever fails, a watch that ends for ever is worse.
            catch (Exception e)
#pragma warning restore CA1031
            {
                _resourceVersion = null;
                Failed(e, expected: false);
            }
            try
            {
                await Task.Delay(_delay.Next(), time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>One list (if needed) and watch; false when the watch ended so soon that a pause is due.</summary>
    private async Task<bool> RoundAsync(CancellationToken cancellationToken)
    {
        if (_resourceVersion is null && _streaming)
            return await StreamAsync(cancellationToken);
        if (_resourceVersion is null)
            await ListAsync(cancellationToken);
        return await WatchAsync(WatchOptions(_resourceVersion, streaming: false), null, cancellationToken);
    }

    private async Task ListAsync(CancellationToken cancellationToken)
    {
        ListOptions page = new()
        {
            LabelSelector = options.LabelSelector,
            FieldSelector = options.FieldSelector,
            // At first whatever the server has in memory, as client-go: pages of its storage are many times slower.
            ResourceVersion = _first ? "0" : null,
            Limit = options.PageSize > 0 ? options.PageSize : null,
        };
        _first = false;
        IReplacement<T> replacement = target.BeginReplace();
        ListMeta list;
        string? version = null;
        do
        {
            try
            {
                list = await client.ListPageAsync<T>(options.Namespace, page, replacement.Put, cancellationToken);
            }
            catch (ApiException e) when (e.IsExpired && page.Continue is not null)
            {
                // The pages no longer fit together: everything at once.
                replacement = target.BeginReplace();
                version = null;
                page = page with { Limit = null, Continue = null };
                list = await client.ListPageAsync<T>(options.Namespace, page, replacement.Put, cancellationToken);
            }
            version ??= list.ResourceVersion;
            page = page with { Continue = list.Continue };
        }
        while (!string.IsNullOrEmpty(page.Continue));
        Commit(replacement, version);
    }

    private void Commit(IReplacement<T> replacement, string? version)
    {
        if (options.NeverEmpty && replacement.IsEmpty && IsOlder(version, _seen))
            throw new DoubtfulListException($"the list is empty, and older ({version}) than what is known ({_seen}), which is kept");
        replacement.Commit();
        _resourceVersion = _seen = version ?? "";
        Recovered();
    }

    private static bool IsOlder(string? version, string? seen) =>
        ulong.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out ulong now)
        && ulong.TryParse(seen, NumberStyles.None, CultureInfo.InvariantCulture, out ulong before)
        && now < before;

    private async Task<bool> StreamAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await WatchAsync(WatchOptions(null, streaming: true), target.BeginReplace(), cancellationToken);
        }
        catch (ApiException e) when (_resourceVersion is null && !(e.IsUnauthorized || e.IsForbidden || e.IsTooManyRequests))
        {
            // Refused with 422 where the gate is off, with an ERROR frame of code 500 where etcd is too old: pages always work.
            LogNoStreaming(ResourceOf<T>.Type.Plural, e.Message);
            _streaming = false;
            return true;
        }
        catch (StreamingUnsupportedException)
        {
            LogNoStreaming(ResourceOf<T>.Type.Plural, "the initial events did not end");
            _streaming = false;
            return true;
        }
    }

    /// <summary>Follows one watch to its end. With a replacement, its initial events fill that first.</summary>
    private async Task<bool> WatchAsync(WatchOptions watch, IReplacement<T>? replacement, CancellationToken cancellationToken)
    {
        long began = time.GetTimestamp();
        bool any = false, silent = false;
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using ITimer? silence = replacement is null ? null : time.CreateTimer(
            _ =>
            {
                silent = true;
                ended.Cancel();
            }, null, StreamSilence, Timeout.InfiniteTimeSpan);
        try
        {
            await foreach (WatchEvent<T> frame in client.WatchAsync<T>(options.Namespace, watch, ended.Token))
            {
                any = true;
                if (replacement is null)
                {
                    Take(frame);
                }
                else if (Fill(replacement, frame))
                {
                    replacement = null;
                    silence!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                }
                else
                {
                    silence!.Change(StreamSilence, Timeout.InfiniteTimeSpan);
                }
            }
        }
        catch (OperationCanceledException) when (silent && replacement is not null && !cancellationToken.IsCancellationRequested)
        {
            throw new StreamingUnsupportedException();
        }
        if (replacement is not null)
            return false;
        if (any)
            Recovered();
        return any || time.GetElapsedTime(began) >= ShortWatch;
    }

    private void Take(WatchEvent<T> frame)
    {
        if (frame.Type != WatchEventType.Bookmark)
            target.Apply(frame.Type, frame.Object);
        if (frame.Object.Metadata.ResourceVersion is { Length: > 0 } version)
            _resourceVersion = _seen = version;
    }

    /// <summary>True when the initial events have ended.</summary>
    private bool Fill(IReplacement<T> replacement, WatchEvent<T> frame)
    {
        if (frame.Type == WatchEventType.Deleted)
            replacement.Remove(frame.Object);
        else if (frame.Type != WatchEventType.Bookmark)
            replacement.Put(frame.Object);
        else if (frame.Object.Metadata.Annotations.GetValueOrDefault(WatchEvent<T>.InitialEventsEndAnnotation) == "true")
        {
            Commit(replacement, frame.Object.Metadata.ResourceVersion);
            return true;
        }
        return false;
    }

    private WatchOptions WatchOptions(string? resourceVersion, bool streaming) => new()
    {
        LabelSelector = options.LabelSelector,
        FieldSelector = options.FieldSelector,
        ResourceVersion = resourceVersion,
        SendInitialEvents = streaming,
        Timeout = options.MinimumWatchTime * (1 + Random.Shared.NextDouble()),
    };

    private void Failed(Exception e, bool expected)
    {
        // One line for each time of failure, not one for each try.
        if (_failing || expected || options.Quiet)
        {
            LogStillFailing(ResourceOf<T>.Type.Plural, e.Message);
            return;
        }
        _failing = true;
        LogFailing(ResourceOf<T>.Type.Plural, e.Message);
    }

    private void Recovered()
    {
        if (!_failing)
            return;
        _failing = false;
        LogRecovered(ResourceOf<T>.Type.Plural);
    }

    private sealed class StreamingUnsupportedException : Exception;

    private sealed class DoubtfulListException(string message) : Exception(message);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Listing or watching {Resource} fails, trying again until it works: {Error}")]
    private partial void LogFailing(string resource, string error);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Listing or watching {Resource} starts anew: {Error}")]
    private partial void LogStillFailing(string resource, string error);

    [LoggerMessage(Level = LogLevel.Information, Message = "Listing and watching {Resource} works again")]
    private partial void LogRecovered(string resource);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Streaming lists of {Resource} are not served, listing by pages: {Reason}")]
    private partial void LogNoStreaming(string resource, string reason);
}
