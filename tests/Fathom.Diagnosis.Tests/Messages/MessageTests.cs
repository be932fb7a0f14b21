using System.Globalization;
using System.Text.RegularExpressions;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Diagnosis.Rules;
using Fathom.Testing;

namespace Fathom.Diagnosis.Tests.Messages;

/// <summary>
/// Every message as a reader sees it, word for word, in <c>Messages/Golden</c>: one sentence with the measured value, what was
/// expected and the threshold, and the next action. <c>FATHOM_ACCEPT=1 dotnet test tests/Fathom.Diagnosis.Tests --filter
/// MessageTests</c> writes the files anew.
/// </summary>
public sealed partial class MessageTests
{
    /// <summary>Characters of a line that a reader takes in at a glance.</summary>
    private const int LongestLine = 250;

    private static readonly Dictionary<string, MessageCase> Cases = typeof(MessageCase).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(MessageCase)) && !type.IsAbstract)
        .Select(type => (MessageCase)Activator.CreateInstance(type)!).ToDictionary(item => item.Name);

    private static string Folder => Path.Combine(RepositoryFiles.Root, "tests", "Fathom.Diagnosis.Tests", "Messages", "Golden");

    public static TheoryData<string> Names() => [.. Cases.Keys.Order()];

    /// <summary>Every rule of every catalog, and the two over depth that <see cref="GradientVerdict"/> speaks for.</summary>
    public static TheoryData<Stage, string> Rules()
    {
        TheoryData<Stage, string> rules = new();
        foreach ((Stage stage, string rule) in RuleCatalog.All.Select(rule => (Stage.Training, rule.Id))
            .Concat(PreflightCatalog.All.Select(rule => rule.Id).Concat(["FTH001", "FTH002"]).Distinct().Select(rule => (Stage.Preflight, rule)))
            .Concat(AuditCatalog.All.Select(rule => (Stage.Audit, rule.Id))))
        {
            rules.Add(stage, rule);
        }
        return rules;
    }

    [Xunit.Theory]
    [MemberData(nameof(Rules))]
    public void EveryRuleHasACase(Stage stage, string rule) =>
        Assert.True(Cases.Values.Any(item => item.Stage == stage && item.Rule == rule), $"{rule} ({stage}) has no case: add one in tests/Fathom.Diagnosis.Tests/Messages/Cases, as CONTRIBUTING.md says");

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void TheSickOneIsToldInTheAcceptedWords(string name)
    {
        MessageCase item = Cases[name];
        Finding? finding = item.Find(item.Sick, found => found.Rule == item.Rule).FirstOrDefault(found => found.Rule == item.Rule);
        Assert.True(finding is not null, $"{item.Rule} says nothing of the sick one");
        AssertFits(finding, item);
        string text = Write(finding), path = Path.Combine(Folder, name + ".txt");
        if (Environment.GetEnvironmentVariable("FATHOM_ACCEPT") == "1")
        {
            File.WriteAllText(path, text);
        }
        Assert.True(File.Exists(path), $"{path} is missing; FATHOM_ACCEPT=1 writes it");
        AssertSame(File.ReadAllText(path), text, item.Rounding);
    }

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void TheHealthyOneGetsNoWord(string name)
    {
        MessageCase item = Cases[name];
        Assert.Equal([], item.Find(item.Healthy, _ => false).Where(found => found.Severity > Severity.Info || found.Rule == item.Rule).Select(found => $"{found.Rule} {found.Explanation}"));
    }

    [Fact]
    public void NoGoldenFileIsLeftOver() =>
        Assert.Empty(Directory.EnumerateFiles(Folder).Select(Path.GetFileNameWithoutExtension).Except(Cases.Keys));

    [Xunit.Theory]
    [InlineData("falls to 1e-5 (limit 1e-3)", "falls to 1.09e-5 (limit 1e-3)", true)]
    [InlineData("falls to 1e-5 (limit 1e-3)", "falls to 2e-5 (limit 1e-3)", false)]
    [InlineData("falls to 1e-5 (limit 1e-3)", "fell to 1e-5 (limit 1e-3)", false)]
    public void WordsAreComparedExactlyAndNumbersNearly(string accepted, string text, bool same)
    {
        if (same)
        {
            AssertSame(accepted, text);
        }
        else
        {
            Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => AssertSame(accepted, text));
        }
    }

    /// <summary>What holds for every message, whatever it says.</summary>
    private static void AssertFits(Finding finding, MessageCase item)
    {
        foreach (string line in (string[])[finding.Explanation, finding.Action])
        {
            Assert.InRange(line.Length, 10, LongestLine);
            Assert.DoesNotContain('\n', line);
            Assert.True(char.IsUpper(line[0]) || !char.IsLetter(line[0]) || finding.Layers.Any(layer => line.StartsWith(layer, StringComparison.Ordinal)) || line.Contains(item.Value, StringComparison.Ordinal), $"begins in lower case: {line}");
            Assert.EndsWith(".", line);
            Assert.DoesNotMatch(NextSentence(), line);
            Assert.DoesNotMatch(Unwritten(), line);
        }
        Assert.Matches(item.Value, finding.Explanation);
        Assert.Matches(item.Limit, finding.Explanation);
        Assert.All(finding.RuledOut, rival => Assert.Matches("[0-9]|no layer|from the start", rival));
    }

    private static string Write(Finding finding) => $"{finding.Severity.ToString().ToLowerInvariant()} {finding.Rule} {finding.Problem} ({finding.Cause})\n{finding.Explanation}\n{finding.Action}\n";

    private static void AssertSame(string accepted, string text, double rounding = 0.1)
    {
        Assert.Equal(Figure().Replace(accepted, "#"), Figure().Replace(text, "#"));
        foreach ((Match expected, Match actual) in Figure().Matches(accepted).Zip(Figure().Matches(text)))
        {
            double one = Parse(expected), other = Parse(actual);
            Assert.True(Math.Abs(one - other) <= rounding * Math.Abs(one) + 1e-300, $"{expected.Value} was accepted, now it is {actual.Value}, in: {text}");
        }
    }

    private static double Parse(Match figure) => double.Parse(figure.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(?<![A-Za-z0-9_])[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?")]
    private static partial Regex Figure();

    [GeneratedRegex(@"[.!?] \p{Lu}")]
    private static partial Regex NextSentence();

    /// <summary>What a number or list that is missing leaves behind.</summary>
    [GeneratedRegex(@"NaN %|  |\(\)| ,|System\.")]
    private static partial Regex Unwritten();
}
