using System.Text.Json;

namespace Fathom.Cli.Tests;

/// <summary>How findings are told: two lines, and the rest on request.</summary>
public sealed class FindingTextTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Xunit.Theory]
    [InlineData("train")]
    [InlineData("check")]
    public void AFindingTakesTwoLines(string verb)
    {
        string[] lines = CliRun.Of(verb, Sick()).Output.Split('\n');
        int header = Array.FindIndex(lines, line => line.StartsWith("error FTH001 vanishing gradient  (", StringComparison.Ordinal));

        Assert.Contains("dense_1 … dense_", lines[header]);
        Assert.StartsWith("  The gradient's norm falls to ", lines[header + 1]);
        Assert.StartsWith("  Replace sigmoid by relu", lines[header + 2]);
        Assert.False(lines[header + 3].StartsWith("  ", StringComparison.Ordinal), lines[header + 3]);
        Assert.Contains("more: --verbose, or fathom explain FTH001", lines);
    }

    [Xunit.Theory]
    [InlineData("train")]
    [InlineData("check")]
    [InlineData("fix")]
    public void VerboseTellsTheRest(string verb)
    {
        string output = CliRun.Of([verb, Sick(), "--verbose", .. verb == "fix" ? new[] { "--seeds", "1", "--out", folder.File("fixed.yaml") } : []]).Output;

        foreach (string part in (string[])["the gradient's norm", "layers: dense_1, dense_2, dense_3", "  evidence", "decades lost", "may help: activation"])
        {
            Assert.Contains(part, output);
        }
        if (verb == "train")
        {
            Assert.Contains("ruled out: saturation: at most", output);
        }
    }

    /// <summary>A softmax over one unit is what stops the gradient, not the weights: one finding, with or without a measurement.</summary>
    [Xunit.Theory]
    [InlineData("--verbose")]
    [InlineData("--theory")]
    public void AConstantOutputIsOneFindingOfCheck(string option)
    {
        string linear = File.ReadAllText(folder.Model("linear.yaml", "relu", data: "data: circles", input: "2", loss: "{binary_cross_entropy: {from_logits: false}}", outputs: 1));
        string model = folder.Write("constant.yaml", linear.Replace("  - dense: 1\n", "  - dense: 1\n  - softmax\n", StringComparison.Ordinal));
        using JsonDocument json = JsonDocument.Parse(CliRun.Of("check", model, option, "--json", "-").Output);
        JsonElement finding = Assert.Single(json.RootElement.GetProperty("findings").EnumerateArray(), item => item.GetProperty("severity").GetString() == "error");
        Assert.Equal(("FTH010", "wrong-output-or-loss"), (finding.GetProperty("rule").GetString(), finding.GetProperty("cause").GetString()));
        JsonElement effect = Assert.Single(finding.GetProperty("consequences").EnumerateArray());
        Assert.Equal(("FTH001", "wrong-output-or-loss", "softmax_1"), (effect.GetProperty("rule").GetString(), effect.GetProperty("cause").GetString(), effect.GetProperty("layers")[0].GetString()));
    }

    /// <summary>That fp16 would lose the gradient is of no use to one who trains in float32.</summary>
    [Fact]
    public void TheNumberFormatIsForThoseWhoAsk()
    {
        string model = folder.Model("deep.yaml", "sigmoid", depth: 20, width: 32);
        Assert.DoesNotContain("FTH066", CliRun.Of("train", model).Output);
        Assert.Matches("(?m)^info FTH066", CliRun.Of("train", model, "--verbose").Output);
        File.AppendAllText(model, "\nprecision: fp16\n");
        Assert.Matches("(?m)^warning FTH066", CliRun.Of("train", model).Output);
    }

    /// <summary>Inputs of a hundred times the size saturate the first layer: one finding, with what it brings about.</summary>
    [Fact]
    public void CheckJoinsCauseAndEffect()
    {
        string model = Unscaled("tanh");
        string output = CliRun.Of("check", model).Output;

        Assert.Contains("FTH013 unscaled inputs  (before training", output);
        Assert.Matches(@"(?m)^  which brings about: .*saturated activation \(FTH003\)", output);
        Assert.DoesNotMatch("(?m)^warning FTH003", output);
        Assert.Matches(@"(?m)^    warning FTH003 saturated activation  \(", CliRun.Of("check", model, "--verbose").Output);

        using JsonDocument json = JsonDocument.Parse(CliRun.Of("check", model, "--json", "-").Output);
        JsonElement finding = json.RootElement.GetProperty("findings").EnumerateArray().Single(item => item.GetProperty("rule").GetString() == "FTH013");
        Assert.Contains(finding.GetProperty("consequences").EnumerateArray(), effect => effect.GetProperty("rule").GetString() == "FTH003");
    }

    [Fact]
    public void TrainingTellsAtOnceWhatTheDataShow()
    {
        string output = CliRun.Of("train", Unscaled("tanh")).Output;

        int audit = output.IndexOf("FTH013 unscaled inputs  (before training", StringComparison.Ordinal);
        Assert.InRange(audit, 0, output.IndexOf("epoch 1/", StringComparison.Ordinal));
        Assert.Matches(@"(?m)^  FTH013 unscaled inputs, which brings about: ", output);
    }

    /// <summary>While it trains, in the run file and on the page the inputs are what is wrong, and saturation and vanishing what they bring about.</summary>
    [Theory]
    [InlineData("train")]
    [InlineData("fix")]
    public void CauseOverSymptomHoldsEverywhere(string verb)
    {
        string run = folder.File("a.run"), page = folder.File("a.html");
        string output = CliRun.Of(verb, SaturatedByBytes(), "--run", run).Output;

        Assert.Matches(@"(?m)^error FTH013 unscaled inputs  \(step \d+", output);
        Assert.Matches(@"(?m)^1 finding: FTH013 unscaled inputs\r?$", output);
        Assert.Matches(@"(?m)^  which brings about: .*\(FTH00[13]\)", output);
        Assert.DoesNotMatch(@"(?m)^(error|warning) FTH00[13]", output);
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(output, "have a root mean square of"));

        Assert.Equal(ExitStatus.Clean, CliRun.Of("report", run, "--out", page).Status);
        string html = File.ReadAllText(page);
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(html, "<article class=\"finding error"));
        Assert.Contains("Unscaled inputs", html);
        Assert.Matches("Which brings about[^/]*(/[^/]+)*FTH001 vanishing gradient", html);
    }

    private string SaturatedByBytes()
    {
        string rows = string.Join('\n', Enumerable.Range(0, 400).Select(i => FormattableString.Invariant($"{i * 37 % 251},{i * 91 % 239},{i * 53 % 227},{(i * 37 % 251 > 125 ? 1 : 0)}")));
        folder.Write("bytes.csv", "a,b,c,y\n" + rows + "\n");
        return folder.Model("bytes.yaml", "sigmoid", depth: 6, data: "data: csv:bytes.csv", input: "3", outputs: 2, optimizer: "{sgd: {learning_rate: 0.1}}", epochs: 10);
    }

    private string Sick() => folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 3);

    private string Unscaled(string layer)
    {
        string rows = string.Join('\n', Enumerable.Range(0, 200).Select(i => FormattableString.Invariant($"{i * 37 % 251},{i * 91 % 239},{i * 53 % 227},{(i * 37 % 251 > 125 ? 1 : 0)}")));
        folder.Write("bytes.csv", "a,b,c,y\n" + rows + "\n");
        return folder.Model("bytes.yaml", layer, depth: 4, data: "data: csv:bytes.csv", input: "3", outputs: 2, optimizer: "{sgd: {learning_rate: 0.5}}", epochs: 6);
    }
}
