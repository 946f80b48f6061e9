using System.Diagnostics;

namespace NodeAgent.Harness.Host;

/// <summary>Waits that end as soon as what they wait for holds, or tell at their deadline what was seen last.</summary>
public static class Until
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Asks until the answer is not null.</summary>
    /// <param name="what">What is waited for, as a phrase; part of the error.</param>
    /// <param name="limit">The longest wait.</param>
    /// <param name="look">Answers the value, or null with what was seen.</param>
    /// <exception cref="TimeoutException">It did not hold in time; tells what was seen last.</exception>
    public static async Task<T> FoundAsync<T>(string what, TimeSpan limit, Func<Task<(T? Value, string Seen)>> look) where T : class
    {
        Stopwatch watch = Stopwatch.StartNew();
        string seen = "nothing";
        while (true)
        {
            try
            {
                (T? value, seen) = await look();
                if (value is not null)
                    return value;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                seen = $"{e.GetType().Name}: {e.Message}";
            }
            if (watch.Elapsed >= limit)
                throw new TimeoutException($"{what}: not within {limit.TotalSeconds:F0} s; last seen: {seen}");
            await Task.Delay(Pause);
        }
    }

    /// <summary>Asks until the text answered is null; the text says what is still missing.</summary>
    public static async Task NothingMissesAsync(string what, TimeSpan limit, Func<Task<string?>> missing) =>
        await FoundAsync(what, limit, async () => await missing() is { } text ? (null, text) : ((object?)what, ""));

    /// <summary>Asks until the condition holds.</summary>
    public static Task HoldsAsync(string what, TimeSpan limit, Func<Task<bool>> condition) =>
        NothingMissesAsync(what, limit, async () => await condition() ? null : "it does not hold");
}
