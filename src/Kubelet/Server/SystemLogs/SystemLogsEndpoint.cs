using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>/logs/: the files of /var/log as Go's file server shows them, and with enableSystemLogQuery the journal. Source: ServeLogs in pkg/kubelet/kubelet.go.</summary>
internal sealed class SystemLogsEndpoint
{
    private const string Prefix = "/logs/";
    private const string IndexPage = "/index.html";
    private readonly SystemLogSources _sources;
    private readonly SystemLogFolder _folder;
    private readonly NodeLogQueryAnswer? _queries;

    public SystemLogsEndpoint(SystemLogSources sources, bool queries)
    {
        _sources = sources;
        _folder = new SystemLogFolder(sources);
        _queries = queries ? new NodeLogQueryAnswer(sources, _folder) : null;
    }

    public async Task HandleAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (!HttpMethods.IsGet(request.Method))
        {
            context.Response.Headers.Allow = "GET";
            await context.Response.TextAsync(StatusCodes.Status405MethodNotAllowed, "405: Method Not Allowed");
            return;
        }

        string path = request.Path.Value ?? "";
        if (!path.StartsWith(Prefix, StringComparison.Ordinal))
        {
            // What Go's multiplexer answers.
            context.Response.Headers.Location = Prefix + request.QueryString;
            await context.Response.BytesAsync(StatusCodes.Status307TemporaryRedirect, "text/html; charset=utf-8",
                Encoding.UTF8.GetBytes($"<a href=\"{Prefix}{System.Net.WebUtility.HtmlEncode(request.QueryString.Value)}\">Temporary Redirect</a>.\n\n"));
            return;
        }

        string? file = "/" + path[Prefix.Length..].Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        file = _queries is null ? file : await _queries.HandleAsync(context, file);
        if (file is not null)
        {
            await ServeAsync(context, file);
        }
    }

    private async Task ServeAsync(HttpContext context, string path)
    {
        if (path.EndsWith(IndexPage, StringComparison.Ordinal))
        {
            Redirect(context, "./");
            return;
        }

        string key = SystemLogFolder.NewKey(), cleaned = Cleaned(path);
        (OpenedLog? opened, LogPathError error) = await _folder.OpenAsync(key, cleaned, context.RequestAborted);
        if (opened is null)
        {
            await RefuseAsync(context, error);
            return;
        }

        using (opened)
        {
            string last = cleaned[(cleaned.LastIndexOf('/') + 1)..];
            if (opened.IsFolder != path.EndsWith('/'))
            {
                Redirect(context, opened.IsFolder ? last + "/" : "../" + last);
                return;
            }

            using OpenedLog? index = opened.IsFolder
                ? (await _folder.OpenAsync(key, cleaned.TrimEnd('/') + IndexPage, context.RequestAborted)).Opened : null;
            OpenedLog shown = index ?? opened;
            await (shown.IsFolder ? ListAsync(context, shown, key) : CopyAsync(context, shown, key));
        }
    }

    private async Task ListAsync(HttpContext context, OpenedLog folder, string key)
    {
        SetModified(context, folder);
        if (LogFileAnswer.IsNotModified(context.Request.Headers, folder.Modified))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        IReadOnlyList<string> names;
        try
        {
            names = await _sources.Work.RunAsync(key, () => SystemLogFolder.List(folder), context.RequestAborted);
        }
        catch (IOException)
        {
            await ErrorAsync(context, StatusCodes.Status500InternalServerError, "Error reading directory");
            return;
        }

        await context.Response.BytesAsync(StatusCodes.Status200OK, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(LogFolderPage.Write(names)));
    }

    private async Task CopyAsync(HttpContext context, OpenedLog file, string key)
    {
        SetModified(context, file);
        LogFileAnswer answer = LogFileAnswer.To(context.Request.Headers, file.Size, file.Modified);
        switch (answer.StatusCode)
        {
            case StatusCodes.Status304NotModified or StatusCodes.Status412PreconditionFailed:
                context.Response.StatusCode = answer.StatusCode;
                return;
            case StatusCodes.Status416RangeNotSatisfiable:
                if (answer.Error != "invalid range")
                {
                    context.Response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{file.Size}");
                }

                await ErrorAsync(context, answer.StatusCode, answer.Error);
                return;
        }

        LogFileWriter writer = new(_sources.Work, key, file);
        context.Response.StatusCode = answer.StatusCode;
        context.Response.Headers.AcceptRanges = "bytes";
        await writer.WriteAsync(context.Response, answer.Ranges, context.RequestAborted);
    }

    private static void SetModified(HttpContext context, OpenedLog file) => context.Response.Headers.LastModified = file.Modified.ToString("R", CultureInfo.InvariantCulture);

    private static void Redirect(HttpContext context, string to)
    {
        context.Response.StatusCode = StatusCodes.Status301MovedPermanently;
        context.Response.Headers.Location = Uri.EscapeDataString(to).Replace("%2F", "/", StringComparison.Ordinal) + context.Request.QueryString;
        context.Response.ContentLength = 0;
    }

    private static Task RefuseAsync(HttpContext context, LogPathError error) => error switch
    {
        LogPathError.NotFound => ErrorAsync(context, StatusCodes.Status404NotFound, "404 page not found"),
        LogPathError.Forbidden => ErrorAsync(context, StatusCodes.Status403Forbidden, "403 Forbidden"),
        _ => ErrorAsync(context, StatusCodes.Status500InternalServerError, "500 Internal Server Error"),
    };

    internal static Task ErrorAsync(HttpContext context, int statusCode, string text)
    {
        context.Response.Headers.Remove("Last-Modified");
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return context.Response.TextAsync(statusCode, text + "\n");
    }

    /// <summary>A path without ".", ".." and doubled slashes; ".." stops at the root. Pure.</summary>
    internal static string Cleaned(string path)
    {
        List<string> kept = [];
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                kept.RemoveRange(Math.Max(kept.Count - 1, 0), Math.Min(kept.Count, 1));
            }
            else if (part != ".")
            {
                kept.Add(part);
            }
        }

        return "/" + string.Join('/', kept);
    }
}
