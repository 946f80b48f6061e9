using System.Globalization;
using Microsoft.Extensions.Logging;

namespace NodeAgent.Logging;

/// <summary>The agent's loggers and their factory: formatting happens where the line is written, output on the writer's thread.</summary>
internal sealed class AgentLoggerFactory(LogFormat format, Verbosity verbosity, LogWriter writer, TimeProvider time) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new AgentLogger(this, Verbosity.ShortName(categoryName), Least(categoryName));

    /// <summary>The web server writes a line for each request, with its query: commands of exec, which may hold secrets. Warnings only.</summary>
    private LogLevel Least(string category) =>
        category.StartsWith("Microsoft.", StringComparison.Ordinal) && verbosity.Least(category) < LogLevel.Warning ? LogLevel.Warning : verbosity.Least(category);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("the agent has one output");

    public void Dispose() => writer.Dispose();

    private void Write(LogEntry entry) => writer.Write(LogFormatter.Format(entry, format));

    private sealed class AgentLogger(AgentLoggerFactory factory, string category, LogLevel least) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            factory.Write(new LogEntry(factory.Now(), logLevel, category, formatter(state, exception), Fields(state), exception?.ToString()));
        }

        // Not generic: it would be compiled at run time for each shape of message.
        private static KeyValuePair<string, object?>[] Fields(object? state)
        {
            List<KeyValuePair<string, object?>> fields = [];
            if (state is IReadOnlyList<KeyValuePair<string, object?>> pairs)
            {
                for (int i = 0; i < pairs.Count; i++)
                {
                    if (pairs[i] is { Key: not "{OriginalFormat}" } pair)
                        fields.Add(new KeyValuePair<string, object?>(pair.Key, Plain(pair.Value)));
                }
            }
            return [.. fields];
        }

        private static object? Plain(object? value) => value switch
        {
            null or bool or int or long or short or byte or uint or string => value,
            System.Collections.IEnumerable many => string.Join(", ", many.Cast<object?>().Select(i => Convert.ToString(i, CultureInfo.InvariantCulture))),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture),
        };
    }

    private DateTimeOffset Now() => time.GetLocalNow();
}
