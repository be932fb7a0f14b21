using System.Text.Json;

namespace Fathom.Cli.Tests;

public sealed class ScalingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WidthsFailInTheStandardParametrizationAndTheRulesAreTried()
    {
        string model = folder.Model("m.yaml", "relu", depth: 3, width: 64, optimizer: "{adam: {learning_rate: 0.003}}");
        CliRun run = CliRun.Of("check", model, "--widths", "--factors", "0.5,1,4", "--seeds", "2", "--json", folder.File("w.json"));

        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Contains("verdict: fail: ", run.Output);
        Assert.Contains("divide the learning rate of hidden and last layers' weights by r", run.Output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("w.json")));
        JsonElement widths = json.RootElement.GetProperty("widths");
        Assert.False(widths.GetProperty("passes").GetBoolean());
        Assert.Equal(4, widths.GetProperty("layers").GetArrayLength());
        Assert.True(widths.GetProperty("layers")[2].GetProperty("slope").GetDouble() > 0.25);
        Assert.True(widths.GetProperty("maximal_update").GetProperty("passes").GetBoolean());
    }

    [Fact]
    public void DepthsTellWhereTheGradientEnds()
    {
        CliRun run = CliRun.Of("check", folder.Model("m.yaml", "sigmoid", depth: 4, width: 64), "--depths", "--factors", "1,3");
        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Matches(@"×3 +12 +-7\.\d .*vanishing gradient", run.Output);
        Assert.Contains("verdict: fail: at 12 hidden layers", run.Output);

        run = CliRun.Of("check", folder.Model("h.yaml", "tanh", depth: 4, width: 64), "--depths", "--factors", "1,3");
        Assert.Equal(ExitStatus.Clean, run.Status);
        Assert.Contains("verdict: pass: trainable up to 12 hidden layers", run.Output);
    }

    [Theory]
    [InlineData("--factors belongs to --widths or --depths", "--factors", "1,2")]
    [InlineData("--steps belongs to --widths", "--depths", "--steps", "2")]
    [InlineData("--factors has 'x'", "--widths", "--factors", "1,x")]
    [InlineData("two or more different numbers", "--widths", "--factors", "2")]
    public void BadInputGetsOneLine(string reason, params string[] options) =>
        Assert.Contains(reason, CliRun.Of(["check", folder.Model("m.yaml", "relu"), .. options]).RequireOneLineError());

    [Fact]
    public void WidthsNeedData() =>
        Assert.Contains("--widths trains a few steps", CliRun.Of("check", folder.Model("m.yaml", "relu", data: "name: bare"), "--widths").RequireOneLineError());
}
