using System.Text.RegularExpressions;
using Fathom.Diagnosis.Remedies;
using Fathom.Testing;

namespace Fathom.Diagnosis.Tests;

/// <summary>A rule names no remedy that there is not.</summary>
public sealed class RemedyKindTests
{
    /// <summary>Lists of words in double quotes alone, as remedies are written in the source of rules.</summary>
    private static readonly Regex Lists = new("(?<!\\w)\\[((?:\"[a-z_]+\"(?:, )?)+)(?:\\]|, \\.\\.)", RegexOptions.Compiled);

    [Fact]
    public void EveryKindThatARuleNamesIsInTheCatalog()
    {
        HashSet<string> kinds = [.. RemedyCatalog.All.Select(remedy => remedy.Kind)];
        string[] folders = ["Rules", "Causation", "Audit", Path.Combine("Preflight", "Rules")];
        string source = Path.Combine(RepositoryFiles.Root, "src", "Fathom.Diagnosis");
        string[] files = [.. folders.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(source, folder), "*.cs")), Path.Combine(source, "Forecast.cs")];
        string[] named = [.. files.SelectMany(file => Lists.Matches(File.ReadAllText(file)).SelectMany(match => match.Groups[1].Value.Split(", ", StringSplitOptions.RemoveEmptyEntries)).Select(word => $"{Path.GetFileName(file)}: {word.Trim('"')}"))];
        Assert.True(named.Length > 60, $"only {named.Length} names were found; rules are written in another way now");
        Assert.DoesNotContain(named, name => !kinds.Contains(name.Split(": ")[1]));
    }
}
