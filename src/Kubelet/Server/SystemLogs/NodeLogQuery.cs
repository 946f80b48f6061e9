using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>What /logs/?query=… asks for. Source: KEP-2258, pkg/kubelet/kubelet_server_journal.go.</summary>
/// <param name="Services">Units of the journal, or programs with a file in /var/log.</param>
/// <param name="Files">Files in /var/log: what has a slash.</param>
/// <param name="Options">Limits.</param>
internal sealed record NodeLogQuery(IReadOnlyList<string> Services, IReadOnlyList<string> Files, NodeLogOptions Options)
{
    private const int MostServices = 4;
    private const int LongestService = 256;

    /// <summary>Reads a query. Pure.</summary>
    /// <param name="query">The request's.</param>
    /// <param name="errors">What cannot be read, as upstream words it; the answer is 400.</param>
    /// <returns>Null where nothing was asked or there are errors.</returns>
    public static NodeLogQuery? Parse(IQueryCollection query, out IReadOnlyList<string> errors)
    {
        List<string> wrong = [];
        string[] asked = [.. query["query"].Select(q => q ?? "")];
        string[] files = [.. asked.Where(q => q.AsSpan().ContainsAny('/', '\\'))];
        string[] services = [.. asked.Where(q => !q.AsSpan().ContainsAny('/', '\\') && !string.IsNullOrWhiteSpace(q))];
        if (query.ContainsKey("query") && files.Length + services.Length == 0)
        {
            wrong.Add($"query: Invalid value: {Json(asked)}: query cannot be empty");
        }

        NodeLogOptions options = new(
            Time(query, "sinceTime", wrong), Time(query, "untilTime", wrong), Number(query, "tailLines", wrong), Number(query, "boot", wrong), First(query, "pattern"));
        errors = wrong;
        NodeLogQuery found = new(services, files, options);
        return wrong.Count > 0 || (files.Length + services.Length == 0 && options == NodeLogOptions.None) ? null : found;
    }

    /// <summary>What does not go together or leaves its limits; the answer is 406. Pure.</summary>
    public IReadOnlyList<string> Validate() =>
        [.. Services.Select(ServiceError).OfType<string>(), .. Services.Count > MostServices ? [$"query: Too many: {Services.Count}: must have at most {MostServices} items"] : (string[])[],
            .. SubjectError() is { } subject ? [subject] : (string[])[], .. Options.Validate()];

    private static string? ServiceError(string service) =>
        service.Length > LongestService ? $"query: Invalid value: {Json(service)}: length must be less than {LongestService}"
        : service.All(c => char.IsAsciiLetterOrDigit(c) || "-_.:@".Contains(c, StringComparison.Ordinal)) ? null
        : $"query: Invalid value: {Json(service)}: input contains unsupported characters";

    private string? SubjectError() => (Files.Count, Services.Count) switch
    {
        (0, 0) => "query: Required value: cannot be empty with options",
        ( > 0, > 0) => $"query: Invalid value: {Json($"[{string.Join(' ', Files)}], [{string.Join(' ', Services)}]")}: cannot specify a file and service",
        ( > 1, _) => $"query: Invalid value: {Json([.. Files])}: cannot specify more than one file",
        (1, _) when Options != NodeLogOptions.None => $"query: Invalid value: {Json([.. Files])}: cannot specify file with options",
        _ => null,
    };

    private static string First(IQueryCollection query, string key) => query[key].FirstOrDefault() ?? "";

    private static DateTimeOffset? Time(IQueryCollection query, string key, List<string> wrong)
    {
        string text = First(query, key);
        // RFC 3339 and no more: a date without an offset means nothing here.
        string[] formats = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];
        bool zoned = text.EndsWith('Z') || (text.Length > 6 && text[^6] is '+' or '-');
        if (zoned && DateTimeOffset.TryParseExact(text, formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTimeOffset time))
        {
            return time;
        }

        if (text.Length > 0)
        {
            wrong.Add($"{key}: Invalid value: {Json(text)}: invalid time format");
        }

        return null;
    }

    private static long? Number(IQueryCollection query, string key, List<string> wrong)
    {
        string text = First(query, key);
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number))
        {
            return number;
        }

        if (text.Length > 0)
        {
            wrong.Add($"{key}: Invalid value: {Json(text)}: strconv.Atoi: parsing {Json(text)}: invalid syntax");
        }

        return null;
    }

    internal static string Json(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    private static string Json(string[] texts) => $"[{string.Join(',', texts.Select(Json))}]";
}

/// <summary>Limits of a query of the journal.</summary>
/// <param name="Since">Not before.</param>
/// <param name="Until">Not after.</param>
/// <param name="TailLines">Only the last lines.</param>
/// <param name="Boot">Which boot: 0 is this one, -1 the one before.</param>
/// <param name="Pattern">Only messages that match, a PCRE2 expression; "" = all.</param>
internal sealed record NodeLogOptions(DateTimeOffset? Since, DateTimeOffset? Until, long? TailLines, long? Boot, string Pattern)
{
    /// <summary>No limits.</summary>
    public static readonly NodeLogOptions None = new(null, null, null, null, "");
    private const int MostLines = 100_000;

    /// <summary>What leaves its limits. Pure.</summary>
    public IEnumerable<string> Validate()
    {
        if (Since > Until)
        {
            yield return $"untilTime: Invalid value: {NodeLogQuery.Json(Until.Value.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture))}: must be after `sinceTime`";
        }

        if (Boot > 0)
        {
            yield return $"boot: Invalid value: {Boot}: must be less than 1";
        }

        if (TailLines is < 0 or > MostLines)
        {
            yield return $"tailLines: Invalid value: {TailLines}: must be between 0 and {MostLines}, inclusive";
        }

        if (PatternError() is { } error)
        {
            yield return $"pattern: Invalid value: {NodeLogQuery.Json(Pattern)}: {error}";
        }
    }

    /// <summary>Arguments of journalctl, each an element of its own. Pure.</summary>
    /// <param name="units">Names of services.</param>
    public IReadOnlyList<string> Arguments(IReadOnlyList<string> units)
    {
        List<string> arguments = ["--utc", "--no-pager", "--output=short-precise"];
        AddIf(Since is not null, $"--since={Moment(Since)}");
        AddIf(Until is not null, $"--until={Moment(Until)}");
        AddIf(TailLines is not null, "--pager-end", string.Create(CultureInfo.InvariantCulture, $"--lines={TailLines}"));
        arguments.AddRange(units.Select(u => "--unit=" + u));
        AddIf(Pattern.Length > 0, "--grep=" + Pattern);
        AddIf(Boot is not null, "--boot", string.Create(CultureInfo.InvariantCulture, $"{Boot}"));
        return arguments;

        void AddIf(bool condition, params string[] more) => arguments.AddRange(condition ? more : []);
    }

    // journalctl takes a time without a zone for the host's own.
    private static string Moment(DateTimeOffset? time) => time?.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture) ?? "";

    private string? PatternError()
    {
        if (Pattern.Contains('\0', StringComparison.Ordinal))
        {
            return "holds a zero byte";
        }

        try
        {
            // Only its form is looked at here; journalctl is who matches.
            _ = new Regex(Pattern, RegexOptions.None, TimeSpan.FromSeconds(1));
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }
}
