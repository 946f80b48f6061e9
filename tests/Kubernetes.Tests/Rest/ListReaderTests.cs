using System.Text;
using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Tests.Rest;

public sealed class ListReaderTests
{
    private const string Usual =
        """{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"metadata":{"name":"a"},"spec":{"ports":[{"port":80}]}}, {"metadata":{"name":"b]}\""}}]}""";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(10_000)]
    public void A_list_that_comes_in_pieces_gives_each_item_once_and_its_metadata(int piece)
    {
        (List<string> names, ListMeta metadata) = Read(Usual, piece);
        Assert.Equal(["a", "b]}\""], names);
        Assert.Equal(("7", "c"), (metadata.ResourceVersion, metadata.Continue));
    }

    [Theory]
    [InlineData("""{"items":[{"metadata":{"name":"a"}}],"kind":"ServiceList","metadata":{"resourceVersion":"7"}}""", "a", "7")]
    [InlineData("""{ "metadata" : {"resourceVersion":"7"} , "items" : [ ] , "x" : [1,{"items":[]}] }""", "", "7")]
    [InlineData("""{"metadata":{"resourceVersion":"7"},"items":null}""", "", "7")]
    [InlineData("""{"other":{"items":[{"metadata":{"name":"no"}}]},"metadata":{"resourceVersion":"7"}}""", "", "7")]
    public void Fields_in_another_order_and_lists_without_items_are_read_too(string list, string expected, string version)
    {
        foreach (int piece in (int[])[1, 5, 10_000])
        {
            (List<string> names, ListMeta metadata) = Read(list, piece);
            Assert.Equal(expected, string.Join(",", names));
            Assert.Equal(version, metadata.ResourceVersion);
        }
    }

    [Fact]
    public void A_list_that_is_cut_off_anywhere_is_an_error_and_never_a_shorter_list()
    {
        for (int length = 0; length < Usual.Length; length++)
        {
            Assert.ThrowsAny<JsonException>(() => Read(Usual[..length], 16));
        }

        Assert.ThrowsAny<JsonException>(() => Read("[]", 16));
    }

    private static (List<string> Names, ListMeta Metadata) Read(string list, int piece)
    {
        List<string> names = [];
        ListReader<Service> reader = new(s => names.Add(s.Metadata.Name!));
        byte[] bytes = Encoding.UTF8.GetBytes(list);
        int taken = 0;
        for (int arrived = 0; arrived < bytes.Length;)
        {
            arrived = Math.Min(bytes.Length, arrived + piece);
            taken += reader.Take(bytes.AsSpan(taken..arrived));
        }

        return (names, reader.End(bytes.AsSpan(taken)));
    }
}
