using System.Text.Json;
using Fathom.Runs;

namespace Fathom.Cli.Tests;

public sealed class RescueTests : IDisposable
{
    private const string Thrown = """
        fathom: 1
        name: thrown
        data: digits
        input: 64
        layers: [{dense: {units: 32, weight: he_normal}}, relu, {dense: {units: 32, weight: he_normal}}, relu, {dense: 10}]
        loss: cross_entropy
        optimizer: {sgd: {learning_rate: 0.05}}
        schedule: {multi_step: {milestones: [2], gamma: 100}}
        epochs: 8
        """;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ARunThatIsThrownAwayIsTakenBackAndToldOf()
    {
        string model = folder.File("model.yaml");
        File.WriteAllText(model, Thrown);
        CliRun run = CliRun.Of("train", model, "--rescue", "--run", folder.File("a.run"), "--json", folder.File("a.json"), "--fail-on", "never");

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.Contains("rescue: ", run.Output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("a.json")));
        JsonElement first = json.RootElement.GetProperty("rescues").EnumerateArray().First();
        Assert.StartsWith("learning rate ÷ 3", first.GetProperty("remedy").GetString());
        Assert.True(first.GetProperty("back_to").GetInt64() <= first.GetProperty("step").GetInt64());
        Assert.True(json.RootElement.GetProperty("training").GetProperty("accuracy").GetDouble() > 0.8);
        using RunReader reader = RunReader.Open(folder.File("a.run"));
        Assert.Equal(RunStatus.Completed, reader.Status);
        Assert.Equal(8 * 45 - 1, reader.LastStep);
    }

    [Fact]
    public void RescueAndAnActionExcludeEachOther()
    {
        string error = CliRun.Of("train", folder.Model("well.yaml", "relu", epochs: 1), "--rescue", "--on-finding", "stop").RequireOneLineError();
        Assert.Contains("leave out --on-finding stop", error);
    }
}
