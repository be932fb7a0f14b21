using Fathom.Cli.Rendering;

namespace Fathom.Cli.Tests;

public sealed class LineWrapTests
{
    [Theory]
    [InlineData("short", 30, "short")]
    [InlineData("", 30, "")]
    [InlineData("  one two three four five six seven", 20, "  one two three four|  five six seven")]
    [InlineData("abcdefghijklmnopqrstuvwxyz", 20, "abcdefghijklmnopqrst|uvwxyz")]
    [InlineData("aaaaaaaaaaaaaaaaaaaa bbbb", 20, "aaaaaaaaaaaaaaaaaaaa|bbbb")]
    public void RowsBreakAtSpacesAndKeepTheIndent(string line, int width, string rows) =>
        Assert.Equal(rows, string.Join("|", LineWrap.Rows([(line, Tone.Plain)], width).Select(Text)));

    [Fact]
    public void TonesFollowTheirLetters()
    {
        IReadOnlyList<(string Text, Tone Tone)>[] rows = [.. LineWrap.Rows([("error ", Tone.Bad), ("one two three four five", Tone.Plain)], 20)];
        Assert.Equal([("error ", Tone.Bad), ("one two three", Tone.Plain)], rows[0]);
        Assert.Equal([("four five", Tone.Plain)], rows[1]);
    }

    private static string Text(IReadOnlyList<(string Text, Tone)> row) => string.Concat(row.Select(piece => piece.Text));
}
