using Microsoft.Extensions.Logging;

namespace NodeAgent.Logging;

/// <summary>One line before it is formatted.</summary>
/// <param name="Time">When it was written, local to the clock given to the provider.</param>
/// <param name="Level">Its level.</param>
/// <param name="Category">The last part of the logger's category.</param>
/// <param name="Message">The text.</param>
/// <param name="Fields">Structured fields; values are already text, numbers or booleans.</param>
/// <param name="Error">An exception's text, or null.</param>
internal sealed record LogEntry(
    DateTimeOffset Time, LogLevel Level, string Category, string Message, IReadOnlyList<KeyValuePair<string, object?>> Fields, string? Error);
