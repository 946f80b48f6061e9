using FsCheck;
using FsCheck.Fluent;

namespace NodeAgent.Grpc.Tests;

public sealed class HeaderFormatTests
{
    [Fact]
    public void Any_message_survives_percent_encoding_as_printable_ASCII() =>
        Prop.ForAll((NonNull<string> text) =>
        {
            string valid = new([.. text.Get.Where(c => !char.IsSurrogate(c))]);
            string encoded = PercentEncoding.Encode(valid);
            return encoded.All(c => c is >= ' ' and <= '~') && PercentEncoding.Decode(encoded) == valid;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("%", "%")]
    [InlineData("%4", "%4")]
    [InlineData("%zz!", "%zz!")]
    [InlineData("a%20b", "a b")]
    public void Wrong_percent_sequences_stay_as_they_are(string encoded, string decoded) => Assert.Equal(decoded, PercentEncoding.Decode(encoded));

    [Theory]
    [InlineData(0, "1m")]
    [InlineData(1500, "1500m")]
    [InlineData(99_999_999, "99999999m")]
    [InlineData(100_000_000, "100001S")]
    public void Timeouts_have_at_most_eight_digits(long milliseconds, string header) =>
        Assert.Equal(header, GrpcTimeout.Format(TimeSpan.FromMilliseconds(milliseconds)));

    [Theory]
    [InlineData("1H", 3600_000)]
    [InlineData("2M", 120_000)]
    [InlineData("3S", 3000)]
    [InlineData("4m", 4)]
    [InlineData("5000u", 5)]
    [InlineData("6000000n", 6)]
    public void Every_unit_is_read(string header, long milliseconds)
    {
        Assert.True(GrpcTimeout.TryParse(header, out TimeSpan timeout));
        Assert.Equal(milliseconds, timeout.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("-1S")]
    [InlineData("123456789S")]
    [InlineData("1x")]
    public void Malformed_timeouts_are_refused(string header) => Assert.False(GrpcTimeout.TryParse(header, out _));

    [Fact]
    public void Binary_metadata_is_read_with_and_without_padding()
    {
        Assert.Equal([1], new Metadata { { "a-bin", "AQ" } }.GetBytes("a-bin")!);
        Assert.Equal([1], new Metadata { { "a-bin", "AQ==" } }.GetBytes("a-bin")!);
        Assert.Null(new Metadata { { "a-bin", "A" } }.GetBytes("a-bin"));
        Assert.Null(new Metadata { { "a-bin", "?!" } }.GetBytes("a-bin"));
    }
}
