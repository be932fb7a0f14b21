using System.Collections.Immutable;
using System.Reflection;
using System.Text.RegularExpressions;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Diagnosis.Rules;
using Fathom.Training;

namespace Fathom.Diagnosis;

/// <summary>A part of a rule's page.</summary>
/// <param name="Title">Such as «Why it matters».</param>
/// <param name="Paragraphs">Plain text, a paragraph or an item of a list each.</param>
public sealed record RuleSection(string Title, ImmutableArray<string> Paragraphs);

/// <summary>
/// What a rule looks for and why, as <c>docs/rules/ID.md</c> has it: the pages are built into this library, so that the two
/// cannot differ.
/// </summary>
/// <param name="Id">Identifier of the rule, such as <c>FTH001</c>.</param>
/// <param name="Problem">The problem in a few words.</param>
/// <param name="Threshold">The threshold and where it comes from.</param>
/// <param name="Sections">Why it matters, how it is measured, what mends it.</param>
public sealed partial record RulePage(string Id, string Problem, string Threshold, ImmutableArray<RuleSection> Sections)
{
    private const string Folder = "rules/", ThresholdMark = "**Threshold.** ";

    /// <summary>Letters of a word that are compared.</summary>
    private const int LongestWord = 64;

    private static readonly Lazy<ImmutableArray<RulePage>> Pages = new(ReadAll);

    /// <summary>The pages of all rules, by identifier.</summary>
    public static ImmutableArray<RulePage> All => Pages.Value;

    /// <summary>The problem as one word to type, such as <c>vanishing-gradient</c>.</summary>
    public string Name => ToName(Problem);

    /// <summary>When the rule speaks.</summary>
    public ImmutableArray<string> When =>
    [
        .. new[] { AuditCatalog.All.Any(rule => rule.Id == Id) ? "model and data" : "",
            PreflightCatalog.All.Any(rule => rule.Id == Id) || Id is "FTH001" or "FTH002" ? "first batch" : "",
            RuleCatalog.All.Any(rule => rule.Id == Id) ? "training" : "" }.Where(when => when.Length > 0),
    ];

    /// <summary>The pages that a word may mean: the one of that identifier or name, else all whose name contains it.</summary>
    /// <param name="word">Such as <c>FTH001</c>, <c>fth1</c>, <c>vanishing-gradient</c> or <c>vanishing</c>.</param>
    public static ImmutableArray<RulePage> Find(string word)
    {
        string name = ToName(word);
        RulePage? exact = All.FirstOrDefault(page => page.Name == name || page.Id.Equals(word.Trim(), StringComparison.OrdinalIgnoreCase) || IsNumberOf(page, name));
        return exact is not null ? [exact] : name.Length < 3 ? [] : [.. All.Where(page => page.Name.Contains(name, StringComparison.Ordinal))];
    }

    /// <summary>The pages whose identifier, name or a word of it is most like a word, best first; none if fewer than half of the letters agree.</summary>
    /// <param name="word">A word that means none of them.</param>
    /// <param name="most">How many.</param>
    public static ImmutableArray<RulePage> Nearest(string word, int most)
    {
        string name = ToName(word[..Math.Min(word.Length, LongestWord)]);
        return [.. All.Select(page => (Page: page, Distance: Parts(page).Min(part => Spelling.Distance(part, name)))).Where(item => 2 * item.Distance <= name.Length && name.Length > 0)
            .OrderBy(item => item.Distance).ThenBy(item => item.Page.Id, StringComparer.Ordinal).Take(most).Select(item => item.Page)];
    }

    /// <summary>What a page may be called by.</summary>
    private static IEnumerable<string> Parts(RulePage page) => page.Name.Split('-').Append(page.Name).Append(page.Id.ToLowerInvariant());

    /// <summary>A page of Markdown.</summary>
    /// <exception cref="FormatException">It does not have the form of a rule's page.</exception>
    internal static RulePage Parse(string text)
    {
        string[] lines = text.ReplaceLineEndings("\n").Split('\n');
        Match title = Title().Match(lines[0]);
        string threshold = lines.FirstOrDefault(line => line.StartsWith(ThresholdMark, StringComparison.Ordinal)) ?? "";
        if (!title.Success || threshold.Length == 0)
        {
            throw new FormatException($"'{lines[0]}' does not begin a rule's page: expected '# ID: problem' and a line '{ThresholdMark}…'");
        }
        List<RuleSection> sections = [];
        foreach (string part in string.Join('\n', lines).Split("\n## ").Skip(1))
        {
            int end = part.IndexOf('\n');
            sections.Add(new RuleSection(part[..end].Trim(), [.. Paragraphs(part[end..])]));
        }
        return new RulePage(title.Groups[1].Value, Plain(title.Groups[2].Value), Plain(threshold[ThresholdMark.Length..]), [.. sections]);
    }

    /// <summary>Lines that belong together joined; items of a list and rows of a table stay apart.</summary>
    private static IEnumerable<string> Paragraphs(string text)
    {
        string open = "";
        foreach (string line in text.Split('\n').Append(""))
        {
            bool apart = line.Length == 0 || line.StartsWith("- ", StringComparison.Ordinal) || line.StartsWith('|');
            if (apart && open.Length > 0)
            {
                yield return Plain(open);
                open = "";
            }
            if (!line.StartsWith("|--", StringComparison.Ordinal))
            {
                open = open.Length == 0 ? line.Trim() : $"{open} {line.Trim()}";
            }
        }
    }

    private static string Plain(string markdown) => Link().Replace(markdown, "$1").Replace("**", "", StringComparison.Ordinal).Replace('`', '\'');

    private static string ToName(string text) => Other().Replace(text.Trim().ToLowerInvariant(), "-").Trim('-');

    /// <summary>«fth1» and «1» for FTH001.</summary>
    private static bool IsNumberOf(RulePage page, string name) => int.TryParse(name.StartsWith("fth", StringComparison.Ordinal) ? name[3..] : name, out int number) && $"FTH{number:000}" == page.Id;

    private static ImmutableArray<RulePage> ReadAll()
    {
        Assembly assembly = typeof(RulePage).Assembly;
        return [.. assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(Read)];

        RulePage Read(string name)
        {
            using StreamReader reader = new(assembly.GetManifestResourceStream(name)!);
            return Parse(reader.ReadToEnd());
        }
    }

    [GeneratedRegex(@"^# (FTH\d+): (.+)$")]
    private static partial Regex Title();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]+\)")]
    private static partial Regex Link();

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex Other();
}
