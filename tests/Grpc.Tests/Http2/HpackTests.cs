using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Tests.Http2;

/// <summary>The examples of RFC 7541, appendix C, and lists that try to exceed limits.</summary>
public sealed class HpackTests
{
    [Fact]
    public void The_requests_of_appendix_C_4_decode_one_after_another()
    {
        var decoder = new HpackDecoder(4096, 65536);
        Assert.Equal(
            [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
            decoder.Decode(Convert.FromHexString("828684418cf1e3c2e5f23a6ba0ab90f4ff")));
        Assert.Equal(
            [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com"), ("cache-control", "no-cache")],
            decoder.Decode(Convert.FromHexString("828684be5886a8eb10649cbf")));
        Assert.Equal(
            [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), (":authority", "www.example.com"), ("custom-key", "custom-value")],
            decoder.Decode(Convert.FromHexString("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")));
    }

    [Fact]
    public void Entries_are_evicted_as_in_appendix_C_6()
    {
        var decoder = new HpackDecoder(256, 65536);
        Assert.Equal(
            [(":status", "302"), ("cache-control", "private"), ("date", "Mon, 21 Oct 2013 20:13:21 GMT"), ("location", "https://www.example.com")],
            decoder.Decode(Convert.FromHexString("488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3")));
        Assert.Equal((":status", "307"), decoder.Decode(Convert.FromHexString("4883640effc1c0bf"))[0]);
    }

    [Theory]
    [InlineData("80")]
    [InlineData("be")]
    [InlineData("40")]
    [InlineData("4085")]
    [InlineData("ffffffffffff7f")]
    [InlineData("823fe11f")]
    [InlineData("3fe21f")]
    [InlineData("4081ff81ff")]
    [InlineData("0085ffffffffff00")]
    public void Wrong_blocks_are_compression_errors(string block)
    {
        var decoder = new HpackDecoder(4096, 65536);
        Http2Exception e = Assert.Throws<Http2Exception>(() => decoder.Decode(Convert.FromHexString(block)));
        Assert.Equal(Http2Error.CompressionError, e.Code);
    }

    [Fact]
    public void A_small_block_that_expands_past_the_limit_is_refused()
    {
        var decoder = new HpackDecoder(4096, 65536);
        var writer = new HpackWriter();
        writer.Add("x", new string('a', 3900));
        byte[] entry = writer.Written.ToArray();
        entry[0] = 0x40;
        decoder.Decode(entry);
        byte[] bomb = Enumerable.Repeat((byte)0xbe, 1000).ToArray();
        Http2Exception e = Assert.Throws<Http2Exception>(() => decoder.Decode(bomb));
        Assert.Equal(Http2Error.EnhanceYourCalm, e.Code);
    }

    [Fact]
    public void Random_blocks_give_headers_or_the_named_error()
    {
        var random = new Random(3);
        int refused = 0;
        for (int i = 0; i < 20_000; i++)
        {
            var block = new byte[random.Next(1, 60)];
            random.NextBytes(block);
            try
            {
                new HpackDecoder(4096, 65536).Decode(block);
            }
            catch (Http2Exception)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 1, 20_000);
    }
}
