using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Fathom.Formats;

namespace Fathom.Docs.Tests.Reference;

/// <summary>
/// The doc comments of all of Fathom, as Markdown. A setting is written as a model file spells it, and a type that has
/// an entry of its own becomes a link to it.
/// </summary>
/// <param name="link">The link to a type's entry by the type's full name; null if it has none.</param>
internal sealed partial class DocComments(Func<string, string?> link)
{
    private static readonly Lazy<Dictionary<string, XElement>> Members = new(LoadAll);

    /// <summary>What a type is; null if it has no doc comment.</summary>
    public string? Summary(Type type)
    {
        XElement? member = Members.Value.GetValueOrDefault($"T:{type.FullName}");
        XElement? summary = member?.Element("summary");
        return summary is null ? null
            : string.Join("\n\n", new[] { Render(summary), Render(member!.Element("remarks")) }.Where(text => text.Length > 0));
    }

    /// <summary>What a setting is: its param tag, or the comment on the property of its name.</summary>
    public string Setting(Type type, string parameter)
    {
        XElement? given = Members.Value.GetValueOrDefault($"T:{type.FullName}")?.Elements("param").FirstOrDefault(param => (string?)param.Attribute("name") == parameter);
        for (Type? at = type; given is null && at is not null; at = at.BaseType)
        {
            given = Members.Value.GetValueOrDefault($"P:{at.FullName}.{parameter}")?.Element("summary");
        }
        return Render(given);
    }

    /// <summary>The types that a type's summary points at.</summary>
    public static IEnumerable<string> Mentioned(Type type) =>
        Members.Value.GetValueOrDefault($"T:{type.FullName}")?.Element("summary")?.Descendants("see").Select(see => (string?)see.Attribute("cref") ?? "")
            .Where(cref => cref.StartsWith("T:", StringComparison.Ordinal)).Select(cref => cref[2..]) ?? [];

    /// <summary>The first sentence, as one line.</summary>
    public static string FirstSentence(string text) => SentenceEnd().Split(Blank().Replace(text, " "))[0];

    private string Render(XElement? element) => element is null ? "" : ParagraphEdge().Replace(string.Concat(element.Nodes().Select(Render)).Trim(), "\n\n");

    private string Render(XNode node) => node switch
    {
        XText text => Escape(Blank().Replace(text.Value, " ")),
        XElement { Name.LocalName: "c" or "code" } code => $"`{Blank().Replace(code.Value, " ").Trim()}`",
        XElement { Name.LocalName: "paramref" or "typeparamref" } parameter => $"`{RecordSchema.SnakeCase((string)parameter.Attribute("name")!)}`",
        XElement { Name.LocalName: "para" } paragraph => $"\n\n{Render(paragraph)}\n\n",
        XElement { Name.LocalName: "list" } list => List(list),
        XElement { Name.LocalName: "see" or "seealso" } see => See(see),
        XElement { Name.LocalName: "b" or "strong" } bold => $"**{Render(bold)}**",
        XElement { Name.LocalName: "i" or "em" } slanted => $"*{Render(slanted)}*",
        XElement other => throw new InvalidOperationException($"A doc comment has the tag <{other.Name.LocalName}>, which the reference does not know."),
        _ => "",
    };

    private string List(XElement list)
    {
        StringBuilder text = new("\n\n");
        bool isNumbered = (string?)list.Attribute("type") == "number";
        foreach (XElement item in list.Elements("item"))
        {
            string term = Render(item.Element("term"));
            string description = item.Elements().Any() ? Render(item.Element("description")) : Render(item);
            text.Append(isNumbered ? "1. " : "- ").Append(term.Length > 0 ? $"**{term}**: " : "").Append(description).Append('\n');
        }
        return text.Append("\n\n").ToString();
    }

    private string See(XElement see)
    {
        if ((string?)see.Attribute("href") is { } address)
        {
            return $"[{(see.Value.Length > 0 ? see.Value : address)}]({address})";
        }
        if ((string?)see.Attribute("langword") is { } word)
        {
            return $"`{word}`";
        }
        string reference = (string?)see.Attribute("cref") ?? throw new InvalidOperationException("A doc comment has a <see> without a target.");
        string name = Arity().Replace(reference[2..].Split('(')[0], "");
        string shown = see.Value.Length > 0 ? see.Value : string.Join('.', name.Split('.').TakeLast(reference[0] == 'T' ? 1 : 2));
        return reference[0] == 'T' && link(reference[2..]) is { } target ? $"[{shown}]({target})" : $"`{shown}`";
    }

    private static string Escape(string text) => Special().Replace(text, @"\$0");

    private static Dictionary<string, XElement> LoadAll() =>
        Directory.EnumerateFiles(AppContext.BaseDirectory, "Fathom.*.xml").Order(StringComparer.Ordinal)
            .SelectMany(file => XDocument.Load(file).Descendants("member"))
            .GroupBy(member => (string)member.Attribute("name")!).ToDictionary(group => group.Key, group => group.First());

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();

    [GeneratedRegex(@"[ \n]*\n\n[ \n]*")]
    private static partial Regex ParagraphEdge();

    [GeneratedRegex(@"`\d+")]
    private static partial Regex Arity();

    [GeneratedRegex(@"(?<=[.!?])\s+(?=\p{Lu})")]
    private static partial Regex SentenceEnd();

    /// <summary>What Markdown would take for markup.</summary>
    [GeneratedRegex(@"[\\`*_<]")]
    private static partial Regex Special();
}
