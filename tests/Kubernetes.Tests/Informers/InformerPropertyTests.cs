using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Tests.Informers;

public sealed class InformerPropertyTests
{
    private static readonly Gen<ServerStep> Change =
        Gen.Frequency((5, Gen.Constant(ServerStepKind.Put)), (2, Gen.Constant(ServerStepKind.Delete)), (1, Gen.Constant(ServerStepKind.Replace)))
            .SelectMany(kind => Gen.Elements("a", "b", "c", "d").Select(name => new ServerStep(kind, name)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Whatever_breaks_handlers_are_told_a_true_story_that_ends_with_the_servers_state(bool streaming)
    {
        Gen<ServerStep> trouble = Gen.Elements(
            ServerStepKind.Bookmark, ServerStepKind.End, ServerStepKind.Reset, ServerStepKind.TooMany, ServerStepKind.Expire, ServerStepKind.Fail, ServerStepKind.Compact)
            .Select(kind => new ServerStep(kind, ""));
        Check(Gen.Frequency((3, Change), (2, trouble)), streaming, static (_, _) => true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void While_the_history_is_there_every_change_is_told_once_over_all_resets(bool streaming)
    {
        Gen<ServerStep> trouble = Gen.Elements(ServerStepKind.Bookmark, ServerStepKind.End, ServerStepKind.Reset, ServerStepKind.TooMany)
            .Select(kind => new ServerStep(kind, ""));
        Check(Gen.Frequency((3, Change), (2, trouble)), streaming, static (server, story) => server.CompleteLists == 1 && story.ToldAfterSync == server.ChangesAfterFirstList);
    }

    private static void Check(Gen<ServerStep> step, bool streaming, Func<HistoryServer, Story, bool> also) =>
        Prop.ForAll(step.ArrayOf().ToArbitrary(), steps => Task.Run(() => HoldsAsync(steps, streaming, also)).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithEndSize(60));

    private static async Task<bool> HoldsAsync(ServerStep[] steps, bool streaming, Func<HistoryServer, Story, bool> also)
    {
        HistoryServer server = new(steps, streaming);
        Informer<ConfigMap> informer = new(
            server, new InformerOptions { PageSize = 2, InitialBackoff = TimeSpan.Zero, MaximumBackoff = TimeSpan.Zero }, NullLogger.Instance);
        Story story = new(informer.HasSynced);
        informer.AddHandler(story);
        using CancellationTokenSource end = new();
        Task run = informer.RunAsync(end.Token);
        await server.Played.WaitAsync(TimeSpan.FromSeconds(20));
        await end.CancelAsync();
        await run;
        return story.Contradiction is null
            && Same(story.Held, server.Objects)
            && Same(informer.Lister.List().ToDictionary(o => o.Metadata.Name!), server.Objects)
            && also(server, story);
    }

    private static bool Same(IReadOnlyDictionary<string, ConfigMap> a, IReadOnlyDictionary<string, ConfigMap> b) =>
        a.Count == b.Count && a.All(item => b.TryGetValue(item.Key, out ConfigMap? other) && ReferenceEquals(other, item.Value));

    /// <summary>What a handler knows; the first thing that cannot be true after what it was told before.</summary>
    private sealed class Story(Task synced) : IInformerHandler<ConfigMap>
    {
        internal Dictionary<string, ConfigMap> Held { get; } = [];

        internal string? Contradiction { get; private set; }

        internal int ToldAfterSync { get; private set; }

        public void Added(ConfigMap item, bool initial)
        {
            Tell();
            if (!Held.TryAdd(item.Metadata.Name!, item))
                Contradiction ??= $"{item.Metadata.Name} was added twice";
            if (initial == synced.IsCompleted)
                Contradiction ??= $"{item.Metadata.Name} is said to be initial, or not to be, at the wrong time";
        }

        public void Updated(ConfigMap previous, ConfigMap current)
        {
            Tell();
            if (!Held.TryGetValue(current.Metadata.Name!, out ConfigMap? held) || !ReferenceEquals(held, previous))
                Contradiction ??= $"{current.Metadata.Name} was updated from what it was not";
            if (previous.Metadata.Uid != current.Metadata.Uid || Version(current) <= Version(previous))
                Contradiction ??= $"{current.Metadata.Name} was updated to another object or an older state";
            Held[current.Metadata.Name!] = current;
        }

        public void Deleted(ConfigMap last)
        {
            Tell();
            if (!Held.Remove(last.Metadata.Name!, out ConfigMap? held) || held.Metadata.Uid != last.Metadata.Uid)
                Contradiction ??= $"{last.Metadata.Name} was deleted without being there";
        }

        private void Tell() => ToldAfterSync += synced.IsCompleted ? 1 : 0;

        private static long Version(ConfigMap item) => long.Parse(item.Metadata.ResourceVersion!, CultureInfo.InvariantCulture);
    }
}
