using System.Text.Json;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Diagnosis.Rules;
using Fathom.Testing;

namespace Fathom.Cli.Tests;

/// <summary><c>fathom explain</c>: the pages of the rules, from the program itself.</summary>
public sealed class ExplainTests
{
    public static TheoryData<string> Ids() => [.. RulePage.All.Select(page => page.Id)];

    [Fact]
    public void EveryRuleHasAPageInTheProgramAndEveryPageARule()
    {
        string[] rules = [.. RuleCatalog.All.Select(rule => rule.Id).Concat(PreflightCatalog.All.Select(rule => rule.Id)).Concat(AuditCatalog.All.Select(rule => rule.Id)).Distinct().Order()];
        string[] files = [.. Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "docs", "rules"), "*.md").Select(Path.GetFileNameWithoutExtension).OfType<string>().Order()];
        Assert.Equal(files, RulePage.All.Select(page => page.Id));
        Assert.Equal(rules, rules.Intersect(files));
        Assert.All(rules, id => Assert.NotEmpty(RulePage.All.Single(page => page.Id == id).When));
    }

    [Xunit.Theory]
    [MemberData(nameof(Ids))]
    public void APageTellsThresholdReasonMeasureAndCure(string id)
    {
        RulePage page = RulePage.All.Single(page => page.Id == id);
        CliRun run = CliRun.Of("explain", id.ToLowerInvariant());

        Assert.Equal((ExitStatus.Clean, ""), (run.Status, run.Error));
        Assert.StartsWith($"{id} {page.Problem}", run.Output);
        foreach (string part in (string[])["Threshold", "Why it matters", "How it is measured", "What mends it"])
        {
            Assert.Contains($"\n{part}\n  ", run.Output);
        }
        Assert.Contains(page.Threshold, run.Output);
        Assert.DoesNotContain("](", run.Output);
        Assert.DoesNotContain("`", run.Output);
        Assert.DoesNotContain("**", run.Output);
    }

    /// <summary>A terminal without Unicode gets every letter spelt out.</summary>
    [Fact]
    public void PagesCanBeReadInAscii()
    {
        foreach (RulePage page in RulePage.All)
        {
            using MemoryStream bytes = new();
            using StreamWriter output = new(bytes, System.Text.Encoding.ASCII);
            CommandLine.Run(["explain", page.Id], output, TextWriter.Null);
            output.Flush();
            string text = System.Text.Encoding.ASCII.GetString(bytes.ToArray());
            Assert.False(text.Contains('?', StringComparison.Ordinal), text);
        }
    }

    [Xunit.Theory]
    [InlineData("FTH001")]
    [InlineData("fth1")]
    [InlineData("vanishing-gradient")]
    [InlineData("Vanishing gradient")]
    [InlineData("vanishing")]
    public void ARuleHasSeveralNames(string word) => Assert.StartsWith("FTH001 vanishing gradient", CliRun.Of("explain", word).Output);

    [Xunit.Theory]
    [InlineData("vanishing-gradeint", "unknown rule 'vanishing-gradeint'; nearest are FTH001 vanishing-gradient, ")]
    [InlineData("FTH999", "unknown rule 'FTH999'; nearest are FTH0")]
    [InlineData("xyzzyxyzzy", "unknown rule 'xyzzyxyzzy'; 'fathom explain' lists all")]
    [InlineData("learning rate", "'learning rate' may be FTH006 learning-rate-too-small, FTH031 learning-rate-too-large")]
    [InlineData("", "unknown rule ''; 'fathom explain' lists all")]
    public void AWrongNameGetsTheNearest(string word, string expected) => Assert.StartsWith($"fathom: {expected}", CliRun.Of("explain", word).RequireOneLineError());

    [Fact]
    public void WithoutANameAllRulesAreListed()
    {
        CliRun run = CliRun.Of("explain");

        Assert.Equal(ExitStatus.Clean, run.Status);
        foreach (RulePage page in RulePage.All)
        {
            Assert.Matches($"(?m)^{page.Id} +{page.Problem} +(model and data|first batch|training)", run.Output);
        }
    }

    [Fact]
    public void TablesStayTables()
    {
        string output = CliRun.Of("explain", "FTH010").Output;

        Assert.DoesNotContain('|', output);
        Assert.Matches(@"(?m)^  output +'cross_entropy' +'binary_cross_entropy'", output);
    }

    [Fact]
    public void JsonHoldsTheSame()
    {
        using JsonDocument one = JsonDocument.Parse(CliRun.Of("explain", "FTH004", "--json", "-").Output);
        JsonElement rule = Assert.Single(one.RootElement.GetProperty("rules").EnumerateArray());
        Assert.Equal(("FTH004", "dead-relu-units"), (rule.GetProperty("rule").GetString(), rule.GetProperty("name").GetString()));
        Assert.Equal(RulePage.Find("FTH004")[0].Threshold, rule.GetProperty("threshold").GetString());

        using JsonDocument all = JsonDocument.Parse(CliRun.Of("explain", "--json", "-").Output);
        Assert.Equal(RulePage.All.Length, all.RootElement.GetProperty("rules").GetArrayLength());
    }
}
