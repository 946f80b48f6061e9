using System.Globalization;
using System.Reflection;
using NodeAgent.Proxy.Tracking;
using Xunit.Sdk;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>
/// Sends the packets of one mode without a test runner: every theory of this folder that has the mode among its rows, and what is for ipvs mode
/// alone. Arguments: the mode, how many rows at once, and words one of which a row's name has to have. A line for each row: passed or failed,
/// seconds, name and, in one line, why.
/// </summary>
internal static class PacketProgram
{
    internal static async Task<int> Main(string[] arguments)
    {
        string mode = arguments[0];
        using var places = new SemaphoreSlim(int.Parse(arguments[1], CultureInfo.InvariantCulture));
        string[] words = arguments[2..];
        Environment.SetEnvironmentVariable("NODE_AGENT_PACKET_MODES", mode);
        Row[] rows = [.. Rows(mode).Where(r => words.Length == 0 || words.Any(w => r.ToString().Contains(w, StringComparison.Ordinal)))];
        bool[] passed = await Task.WhenAll(rows.Select(row => RunAsync(row, places)));
        Console.WriteLine($"rows {rows.Length} failed {passed.Count(p => !p)}");
        return rows.Length > 0 && passed.All(p => p) ? 0 : 1;
    }

    private static IEnumerable<Row> Rows(string mode)
    {
        foreach (MethodInfo method in typeof(PacketProgram).Assembly.GetTypes().Where(t => t.Namespace == typeof(PacketProgram).Namespace).SelectMany(t => t.GetMethods()))
        {
            if (method.GetCustomAttribute<TheoryAttribute>() is not null)
            {
                foreach (object[] data in method.GetCustomAttributes<DataAttribute>().SelectMany(a => a.GetData(method)).Where(d => Equals(d[0], mode)))
                {
                    yield return new Row(method, data);
                }
            }
            else if (mode == "ipvs" && method.GetCustomAttribute<PacketRowAttribute>() is { } only)
            {
                foreach (IPFamily family in Enum.GetValues<IPFamily>().Where(f => only.Only.Length == 0 || only.Only == f.ToString()))
                {
                    yield return new Row(method, [family]);
                }
            }
        }
    }

    private static async Task<bool> RunAsync(Row row, SemaphoreSlim places)
    {
        await places.WaitAsync();
        long began = TimeProvider.System.GetTimestamp();
        string? failure = null;
        try
        {
            await Task.Run(() => (Task)row.Method.Invoke(Activator.CreateInstance(row.Method.DeclaringType!), row.Data)!);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            failure = $"{e}".ReplaceLineEndings(" | ");
        }
        finally
        {
            places.Release();
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{(failure is null ? "passed" : "failed")} {TimeProvider.System.GetElapsedTime(began).TotalSeconds:F1} {row}{(failure is null ? "" : ": " + failure)}"));
        return failure is null;
    }

    private sealed record Row(MethodInfo Method, object[] Data)
    {
        public override string ToString() => $"{Method.DeclaringType!.Name}.{Method.Name}({string.Join(", ", Data)})";
    }
}
