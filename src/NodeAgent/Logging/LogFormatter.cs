using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace NodeAgent.Logging;

/// <summary>From an entry to the bytes of its line, line feed included.</summary>
internal static class LogFormatter
{
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal static byte[] Format(LogEntry entry, LogFormat format) => format switch
    {
        LogFormat.Journal => Encoding.UTF8.GetBytes(Journal(entry)),
        LogFormat.Json => Json(entry),
        _ => Encoding.UTF8.GetBytes(Text(entry)),
    };

    // journald takes each line for a message of its own, so each carries the priority.
    private static string Journal(LogEntry entry)
    {
        StringBuilder text = new();
        string body = entry.Error is null ? entry.Message : $"{entry.Message}\n{entry.Error}";
        bool first = true;
        foreach (string line in body.ReplaceLineEndings("\n").Split('\n'))
        {
            text.Append('<').Append(Priority(entry.Level)).Append('>').Append(first ? $"{entry.Category}: " : "  ").Append(line).Append('\n');
            first = false;
        }
        return text.ToString();
    }

    private static string Text(LogEntry entry)
    {
        string time = entry.Time.ToString("MMdd HH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        string head = $"{Letter(entry.Level)}{time} {Environment.ProcessId,7} {entry.Category}] {entry.Message.ReplaceLineEndings(" ")}";
        return entry.Error is null ? $"{head}\n" : $"{head} err=\"{entry.Error.ReplaceLineEndings("\\n").Replace("\"", "\\\"", StringComparison.Ordinal)}\"\n";
    }

    private static byte[] Json(LogEntry entry)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, JsonOptions))
        {
            writer.WriteStartObject();
            writer.WriteNumber("ts", entry.Time.ToUnixTimeMilliseconds() + (entry.Time.Microsecond / 1000m));
            writer.WriteString("caller", entry.Category);
            writer.WriteString("msg", entry.Message);
            if (entry.Level >= LogLevel.Warning)
                writer.WriteString("level", entry.Level == LogLevel.Warning ? "warning" : "error");
            else
                writer.WriteNumber("v", Verbosity.Of(entry.Level));
            foreach ((string name, object? value) in entry.Fields)
                Field(writer, name, value);
            if (entry.Error is not null)
                writer.WriteString("err", entry.Error);
            writer.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void Field(Utf8JsonWriter writer, string name, object? value)
    {
        string key = name is "ts" or "caller" or "msg" or "v" or "level" or "err" ? $"{name}_" : name;
        switch (value)
        {
            case null:
                writer.WriteNull(key);
                break;
            case bool flag:
                writer.WriteBoolean(key, flag);
                break;
            case int or long or short or byte or uint:
                writer.WriteNumber(key, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            default:
                writer.WriteString(key, Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    // syslog's numbers.
    private static int Priority(LogLevel level) => level switch
    {
        LogLevel.Critical => 2,
        LogLevel.Error => 3,
        LogLevel.Warning => 4,
        LogLevel.Information => 6,
        _ => 7,
    };

    private static char Letter(LogLevel level) => level switch
    {
        LogLevel.Critical => 'F',
        LogLevel.Error => 'E',
        LogLevel.Warning => 'W',
        _ => 'I',
    };
}
