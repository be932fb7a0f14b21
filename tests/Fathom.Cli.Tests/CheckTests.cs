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

    /// <summary>The object that other programs read: theory beside measurement for every layer.</summary>
    [Fact]
    public void JsonHoldsThePreflight()
    {
        CliRun run = CliRun.Of("check", folder.Model("deep.yaml", "sigmoid", depth: 12, width: 32), "--spectrum", "--json", "-");

        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement preflight = json.RootElement.GetProperty("preflight");
        Assert.Equal(["theory", "measured", "layers", "recurrent", "precision", "jacobian", "correlations", "learning_rate_range", "memory", "notes"], preflight.EnumerateObject().Select(property => property.Name));
        Assert.Equal(5, preflight.GetProperty("measured").GetProperty("seeds").GetInt32());
        Assert.Equal(13, preflight.GetProperty("layers").GetArrayLength());
        foreach (JsonElement layer in preflight.GetProperty("layers").EnumerateArray().SkipLast(1))
        {
            JsonElement gradient = layer.GetProperty("gradient");
            Assert.Equal(gradient.GetProperty("expected_log10").GetDouble(), gradient.GetProperty("measured_log10").GetDouble(), 0.5);
            Assert.InRange(gradient.GetProperty("z").GetDouble(), -4, 4);
        }
        JsonElement whole = preflight.GetProperty("jacobian")[0];
        Assert.Equal(("dense_1", "dense_13"), (whole.GetProperty("from").GetString(), whole.GetProperty("to").GetString()));
        Assert.True(whole.GetProperty("largest").GetDouble() > whole.GetProperty("mean").GetDouble());
        Assert.Equal("planned", preflight.GetProperty("memory").GetProperty("source").GetString());
        Assert.True(preflight.GetProperty("memory").GetProperty("total").GetInt64() > 4 * preflight.GetProperty("memory").GetProperty("parameters").GetInt64());
    }

    [Fact]
    public void TheoryAloneMeasuresNothing()
    {
        CliRun run = CliRun.Of("check", folder.Model("deep.yaml", "sigmoid", depth: 12, width: 32), "--theory");

        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.DoesNotContain("measured", run.Output);
        Assert.Contains("estimated", run.Output);
        Assert.Contains("verdict: sick: vanishing gradient", run.Output);
    }

    [Fact]
    public void EveryLineSaysWhereItsNumbersComeFrom()
    {
        CliRun run = CliRun.Of("check", folder.Model("deep.yaml", "sigmoid", depth: 12, width: 32), "--spectrum");

        Assert.Contains("5 draws of the weights", run.Output);
        Assert.Contains("a batch of 32 rows of digits", run.Output);
        Assert.Matches(@"(?m)^dense_13 +dense_1 +.* exact$", run.Output);
        Assert.Contains("samples look alike", run.Output);
        Assert.Matches(@"memory of a step: .* planned", run.Output);
        Assert.Equal("verdict", run.Output.TrimEnd('\n').Split('\n')[^1].Split(':')[0]);
    }

    [Fact]
    public void ADeepNetworkIsShownByItsEnds()
    {
        string model = folder.Model("deep.yaml", "relu", depth: 100, width: 8);
        string output = CliRun.Of("check", model).Output;
        Assert.Contains("… 81 more", output);
        Assert.True(output.Split('\n').Length < 60, output);
        Assert.Contains("dense_50 ", CliRun.Of("check", model, "--verbose").Output);
    }

    [Fact]
    public void GivenWeightsAreMeasured()
    {
        string model = folder.Model("shallow.yaml", "relu"), weights = folder.File("w.safetensors");
        Assert.Equal(ExitStatus.Clean, CliRun.Of("train", model, "--out", weights, "--fail-on", "never").Status);

        CliRun run = CliRun.Of("check", model, "--weights", weights);
        Assert.Equal(ExitStatus.Clean, run.Status);
        Assert.Contains("the given weights", run.Output);
        string other = folder.Model("other.yaml", "relu", width: 17);
        Assert.Contains("of another shape", CliRun.Of("check", other, "--weights", weights).RequireOneLineError());
        Assert.Contains("--seeds", CliRun.Of("check", model, "--weights", weights, "--seeds", "2").RequireOneLineError());
        Assert.Contains("--theory measures nothing", CliRun.Of("check", model, "--weights", weights, "--theory").RequireOneLineError());
    }

    [Fact]
    public void ARangeOfRatesIsSuggested()
    {
        CliRun run = CliRun.Of("check", folder.Model("shallow.yaml", "relu"), "--lr-range");

        Assert.Matches(@"learning-rate range  .* \(smoothed loss", run.Output);
        Assert.Contains("suggests a rate from", run.Output);
        Assert.Contains("give --data", CliRun.Of("check", folder.Model("bare.yaml", "relu", data: "name: bare"), "--lr-range").RequireOneLineError());
    }

    [Fact]
    public void SeverityDecidesTheStatus()
    {
        string model = folder.Model("deep.yaml", "sigmoid", depth: 12, width: 32);
        Assert.Equal(ExitStatus.Clean, CliRun.Of("check", model, "--fail-on", "never").Status);
        string slow = folder.Model("slow.yaml", "relu", optimizer: "{sgd: {learning_rate: 0.0000001}}");
        Assert.Equal(ExitStatus.Clean, CliRun.Of("check", slow).Status);
        Assert.Equal(ExitStatus.Findings, CliRun.Of("check", slow, "--fail-on", "warning").Status);
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
