using Fathom.Formats.ModelFile;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>Sizes and paddings of convolutions and pools in model files.</summary>
public sealed class WindowSettingsTests
{
    [Theory]
    [InlineData("conv2d: {filters: 4, kernel: 3}", "conv2d: {filters: 4, kernel: 3}")]
    [InlineData("conv2d: {filters: 4, kernel: [3, 5], stride: [2, 1], padding: [1, 2], dilation: 1}", "conv2d: {filters: 4, kernel: [3, 5], stride: [2, 1], padding: [1, 2]}")]
    [InlineData("conv2d: {filters: 4, kernel: 3, groups: 3}", null)]
    [InlineData("conv2d: {filters: 4, kernel: [3], padding: same, weight: he_normal}", "conv2d: {filters: 4, kernel: 3, padding: same, weight: he_normal}")]
    [InlineData("depthwise_conv2d: [3, 1]", "depthwise_conv2d: [3, 1]")]
    [InlineData("max_pool2d: 2", "max_pool2d: 2")]
    [InlineData("max_pool2d: {kernel: 2, stride: 1, padding: valid}", "max_pool2d: {kernel: 2, stride: 1}")]
    [InlineData("adaptive_avg_pool2d: [3, 2]", "adaptive_avg_pool2d: [3, 2]")]
    [InlineData("global_avg_pool: {keep_dims: true}", "global_avg_pool: true")]
    public void WhatIsWrittenIsWhatWasRead(string layer, string? expected)
    {
        string text = $"fathom: 1\ninput: [2, 9, 9]\nlayers:\n  - {layer}\n  - flatten\n  - dense: 3\nloss: cross_entropy\noptimizer: sgd\n";
        if (expected is null)
        {
            ModelFormatException error = Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", text));
            Assert.Contains("divisor of the 2 input channels and of the 4 filters", error.Message, StringComparison.Ordinal);
            return;
        }
        string written = Written(text);
        Assert.Contains($"  - {expected}\n", written, StringComparison.Ordinal);
        Assert.Equal(written, Written(written));
    }

    [Theory]
    [InlineData("conv2d: {filters: 4, kernel: three}", "'three' is not a size; allowed: a number, or height and width such as [3, 5]")]
    [InlineData("conv2d: {filters: 4, kernel: [1, 2, 3]}", "a list is not a size; allowed: a number, or height and width such as [3, 5]")]
    [InlineData("conv2d: {filters: 4, kernel: 3, padding: full}", "'full' is not a padding; allowed: valid, same, a number, or two such as [1, 2]")]
    [InlineData("max_pool2d: {kernel: 2, stride: 0}", "0 is out of range; allowed: 1 or more")]
    public void WrongSizesAreOneClearLine(string layer, string message)
    {
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", $"fathom: 1\ninput: [2, 9, 9]\nlayers:\n  - {layer}\n  - flatten\n  - dense: 3\nloss: cross_entropy\noptimizer: sgd\n"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private static string Written(string text) => ModelFileWriter.Write(ModelFileReader.Read("m.yaml", text));
}
