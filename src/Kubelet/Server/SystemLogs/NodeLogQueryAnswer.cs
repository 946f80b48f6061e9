using System.IO.Compression;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>Answers /logs/?query=… (enableSystemLogQuery).</summary>
/// <param name="sources">Where to read.</param>
/// <param name="folder">Opens files.</param>
internal sealed class NodeLogQueryAnswer(SystemLogSources sources, SystemLogFolder folder)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly JournalReader _journal = new(sources.JournalProgram);

    /// <summary>Answers a query for services, or says which file is to be shown.</summary>
    /// <param name="context">The request.</param>
    /// <param name="path">The path it has.</param>
    /// <returns>The file to show; null where the answer is written.</returns>
    public async Task<string?> HandleAsync(HttpContext context, string path)
    {
        NodeLogQuery? query = NodeLogQuery.Parse(context.Request.Query, out IReadOnlyList<string> errors);
        if (query is null)
        {
            return errors.Count == 0 ? path : await RefuseAsync(context, StatusCodes.Status400BadRequest, errors);
        }

        errors = query.Validate();
        if (errors.Count > 0)
        {
            return await RefuseAsync(context, StatusCodes.Status406NotAcceptable, errors);
        }

        return query.Services.Count == 0 ? await ExistingAsync(context, query) : await ServicesAsync(context, query);
    }

    private static async Task<string?> RefuseAsync(HttpContext context, int statusCode, IReadOnlyList<string> errors)
    {
        string[] distinct = [.. errors.Distinct()];
        await SystemLogsEndpoint.ErrorAsync(context, statusCode, distinct.Length == 1 ? distinct[0] : $"[{string.Join(", ", distinct)}]");
        return null;
    }

    private async Task<string?> ExistingAsync(HttpContext context, NodeLogQuery query)
    {
        string file = "/" + query.Files[0].Replace('\\', '/').TrimStart('/');
        (OpenedLog? opened, LogPathError error) = await folder.OpenAsync(SystemLogFolder.NewKey(), SystemLogsEndpoint.Cleaned(file), context.RequestAborted);
        opened?.Dispose();
        return error == LogPathError.None ? file : await RefuseAsync(context, StatusCodes.Status406NotAcceptable,
            [$"query: Invalid value: [{NodeLogQuery.Json(query.Files[0])}]: {(error == LogPathError.NotFound ? "no such file" : "not a file below " + sources.Folder)}"]);
    }

    private async Task<string?> ServicesAsync(HttpContext context, NodeLogQuery query)
    {
        using CancellationTokenSource limit = new(Limit, sources.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.RequestAborted);
        context.Response.ContentType = "text/plain;charset=UTF-8";
        bool compressed = context.Request.Headers.AcceptEncoding == "gzip";
        context.Response.Headers.ContentEncoding = compressed ? "gzip" : default;
        Stream output = compressed ? new GZipStream(context.Response.Body, CompressionLevel.Fastest, leaveOpen: true) : context.Response.Body;
        try
        {
            await CopyAsync(query, output, either.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            await output.WriteAsync(Encoding.UTF8.GetBytes($"\nerror: the journal took longer than {Limit.TotalSeconds:0} s\n"), context.RequestAborted);
        }

        if (compressed)
        {
            await output.DisposeAsync();
        }

        return null;
    }

    private async Task CopyAsync(NodeLogQuery query, Stream output, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> units = await _journal.KnownAsync(query.Services, cancellationToken);
        string[] programs = [.. query.Services.Except(units)];
        if (programs.Length > 0 && query.Options != NodeLogOptions.None)
        {
            await SayAsync(output, $"options present and query resolved to log files for [{string.Join(' ', programs)}]\ntry without specifying options", cancellationToken);
        }
        else if (programs.Length > 0)
        {
            foreach (string program in programs)
            {
                await CopyFileAsync(program, output, cancellationToken);
            }
        }
        else if (!await _journal.TryCopyAsync(query.Options.Arguments(units), output.WriteAsync, cancellationToken))
        {
            await SayAsync(output, "error: journal output not available", cancellationToken);
        }
    }

    // A service that is not in the journal may have /var/log/NAME, NAME.log or NAME/NAME.log.
    private async Task CopyFileAsync(string program, Stream output, CancellationToken cancellationToken)
    {
        string key = SystemLogFolder.NewKey();
        foreach (string path in (string[])[$"/{program}", $"/{program}.log", $"/{program}/{program}.log"])
        {
            (OpenedLog? opened, LogPathError error) = await folder.OpenAsync(key, SystemLogsEndpoint.Cleaned(path), cancellationToken);
            using (opened)
            {
                if (opened is { IsFolder: false })
                {
                    await new LogFileWriter(sources.Work, key, opened).CopyAsync(output, new ByteRange(0, opened.Size), cancellationToken);
                    return;
                }

                if (error is LogPathError.Forbidden or LogPathError.Failed)
                {
                    await SayAsync(output, $"error getting log for {program}: {path} cannot be read", cancellationToken);
                    return;
                }
            }
        }

        await SayAsync(output, $"log not found for {program}", cancellationToken);
    }

    private static ValueTask SayAsync(Stream output, string text, CancellationToken cancellationToken) => output.WriteAsync(Encoding.UTF8.GetBytes($"\n{text}\n"), cancellationToken);
}
