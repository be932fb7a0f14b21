using Fathom.Cli.Rendering;

namespace Fathom.Cli.Tests;

public sealed class SparklineTests
{
    [Fact]
    public void RisesFromTheLowestBarToTheHighest() =>
        Assert.Equal("▁▂▃▄▅▆▇█", Sparkline.Draw([0, 1, 2, 3, 4, 5, 6, 7]));

    [Fact]
    public void HasAnAsciiFallback() => Assert.Equal("_=#", Sparkline.Draw([-10, -4, 0], unicode: false));

    [Fact]
    public void LeavesGapsWhereThereIsNoNumber() =>
        Assert.Equal("▁ █ ", Sparkline.Draw([0, double.NaN, 1, double.PositiveInfinity]));

    [Fact]
    public void ClampsToTheGivenRange() => Assert.Equal("▁▁██", Sparkline.Draw([-5, 0, 1, 9], low: 0, high: 1));

    [Fact]
    public void DrawsEqualValuesAsALevelLine() => Assert.Equal("▅▅▅", Sparkline.Draw([2, 2, 2]));
}
