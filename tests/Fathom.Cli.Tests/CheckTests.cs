using System.Text.Json;

namespace Fathom.Cli.Tests;

public sealed class CheckTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ADeepSigmoidChainIsExpectedToVanish()
    {
        CliRun run = CliRun.Of("check", folder.Model("deep.yaml", "sigmoid", depth: 12, width: 32));

        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Equal("", run.Error);
        Assert.Contains("vanishing gradient", run.Output);
        Assert.Contains("dense_13", run.Output);
        // φ' ≤ 1/4, so that E[φ'²]·σw² with Xavier weights is just below 1/16: the norm shrinks by about 0.24 a layer.
        Assert.Matches(@"dense_\d+ +dense +×0\.2[0-5]", run.Output);
    }

    [Fact]
    public void AShallowReluNetworkIsFine()
    {
        CliRun run = CliRun.Of("check", folder.Model("shallow.yaml", "relu", depth: 2));

        Assert.Equal(ExitStatus.Clean, run.Status);
        Assert.Contains("can be trained", run.Output);
    }

    [Fact]
    public void JsonOnStdoutIsAlone()
    {
        CliRun run = CliRun.Of("check", folder.Model("deep.yaml", "sigmoid", depth: 12, width: 32), "--json", "-");

        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement root = json.RootElement;
        Assert.Equal("fathom/1", root.GetProperty("schema").GetString());
        Assert.True(root.GetProperty("sick").GetBoolean());
        JsonElement finding = Assert.Single(root.GetProperty("findings").EnumerateArray());
        Assert.Equal("vanishing", finding.GetProperty("cause").GetString());
        Assert.Equal(-1, finding.GetProperty("step").GetInt64());
        Assert.InRange(finding.GetProperty("evidence").GetProperty("decades_lost").GetProperty("measured").GetDouble(), 6, 10);
        Assert.Equal(JsonValueKind.Null, root.GetProperty("training").ValueKind);
    }

    [Fact]
    public void NeedsNoData()
    {
        CliRun run = CliRun.Of("check", folder.Model("bare.yaml", "relu", data: "name: bare"));

        Assert.Equal(ExitStatus.Clean, run.Status);
        Assert.Contains("mean 0 and variance 1", run.Output);
    }

    [Fact]
    public void WhatTrainingWouldRefuseIsRefusedBefore()
    {
        string model = folder.Write("heads.yaml", """
            fathom: 1
            input: [8, 8]
            layers: [{multi_head_attention: {heads: 2}, name: heads}, {flatten: {}, from: "heads:1"}, {dense: 10}]
            loss: cross_entropy
            optimizer: sgd
            """);
        Assert.Contains("heads (multi_head_attention): the loss depends on its output 1", CliRun.Of("check", model).RequireOneLineError());
    }
}
