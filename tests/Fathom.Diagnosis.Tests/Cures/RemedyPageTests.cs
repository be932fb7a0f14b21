using Fathom.Diagnosis.Remedies;
using Fathom.Testing;

namespace Fathom.Diagnosis.Tests;

/// <summary>
/// docs/remedies.md has all remedies as the catalog has them.
/// <c>FATHOM_ACCEPT=1 dotnet test tests/Fathom.Diagnosis.Tests --filter RemedyPage</c> writes the table anew.
/// </summary>
public sealed class RemedyPageTests
{
    private const string Head = "| remedy | cuts | precondition | what it does | source |\n|---|---|---|---|---|\n";

    private static string PagePath => Path.Combine(RepositoryFiles.Root, "docs", "remedies.md");

    [Fact]
    public void TheTableOfRemediesIsTheCatalogs()
    {
        string page = File.ReadAllText(PagePath), table = Head + string.Concat(RemedyCatalog.All.Select(Row));
        int start = page.IndexOf(Head, StringComparison.Ordinal);
        Assert.True(start >= 0, "docs/remedies.md has lost the head of its table");
        int end = page.IndexOf("\n\n", start, StringComparison.Ordinal) + 1;
        if (Environment.GetEnvironmentVariable("FATHOM_ACCEPT") == "1")
        {
            File.WriteAllText(PagePath, page[..start] + table + page[end..]);
        }
        else
        {
            Assert.True(page[start..end] == table, "docs/remedies.md is out of date; FATHOM_ACCEPT=1 dotnet test tests/Fathom.Diagnosis.Tests --filter RemedyPage writes its table anew");
        }
    }

    [Fact]
    public void EveryRemedySaysWhatItNeedsDoesAndComesFrom()
    {
        foreach (Remedy remedy in RemedyCatalog.All)
        {
            Assert.All(new[] { remedy.Precondition, remedy.Effect, remedy.Source }, text => Assert.False(string.IsNullOrWhiteSpace(text) || text.EndsWith('.') || text.Contains('|'), $"{remedy.Kind}: {text}"));
        }
    }

    private static string Row(Remedy remedy) => $"| `{remedy.Kind}` | {(int)remedy.Safety + 1} | {remedy.Precondition} | {remedy.Effect} | {remedy.Source} |\n";
}
