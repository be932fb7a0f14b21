using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Schedules;

namespace Fathom.Formats.ModelFile;

/// <summary>Writes names, numbers and settings so that every YAML reader reads them back as they were.</summary>
internal static partial class YamlWords
{
    /// <summary>A name, in quotes where it would otherwise be read as something else.</summary>
    public static string Text(string text)
    {
        if (Plain().IsMatch(text) && !Reserved().IsMatch(text))
        {
            return text;
        }
        StringBuilder quoted = new("\"");
        foreach (Rune letter in text.EnumerateRunes())
        {
            if (letter.Value is '"' or '\\')
            {
                quoted.Append('\\').Append(letter);
            }
            else if (Rune.IsControl(letter) || letter.Value is 0x2028 or 0x2029 or 0xfeff or > 0xfffd)
            {
                quoted.Append("\\U").Append(letter.Value.ToString("x8", CultureInfo.InvariantCulture));
            }
            else
            {
                quoted.Append(letter);
            }
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>The shortest text that reads back as the same number, with a point, as YAML 1.1 wants it before an exponent.</summary>
    public static string Number(double number)
    {
        if (double.IsInfinity(number))
        {
            return number > 0 ? ".inf" : "-.inf";
        }
        string text = number.ToString("R", CultureInfo.InvariantCulture);
        int exponent = text.IndexOf('E');
        return exponent < 0 ? text
            : (text.AsSpan(0, exponent).Contains('.') ? text[..exponent] : text[..exponent] + ".0") + "e" + text[(exponent + 1)..];
    }

    /// <summary>A kind with its settings: <c>relu</c>, <c>dense: 10</c>, <c>sgd: {learning_rate: 0.1}</c>.</summary>
    public static string Component(string kind, object record, object defaults, IEnumerable<(string Key, string Value)>? more = null)
    {
        List<(string Key, string Value)> settings = [.. Settings(kind, record, defaults), .. more ?? []];
        // A list or a number alone stands for the first setting; a mapping would be read as the settings themselves.
        bool isFirst = settings.Count == 1 && settings[0].Key == RecordSchema.Of(defaults).Settings.FirstOrDefault()?.Name && !settings[0].Value.StartsWith('{');
        return settings.Count == 0 ? kind : isFirst ? $"{kind}: {settings[0].Value}" : $"{kind}: {Flow(settings)}";
    }

    /// <summary>The same, to stand where a value stands: in braces if there are settings.</summary>
    public static string Inline(string kind, object record, object defaults)
    {
        string text = Component(kind, record, defaults);
        return text == kind ? text : $"{{{text}}}";
    }

    public static string Initializer(Initializer initializer)
    {
        string kind = InitializerCatalog.ByKind.ContainsKey(initializer.Kind) ? initializer.Kind : "variance_scaling";
        return InitializerCatalog.ByKind[kind].GetType() == initializer.GetType()
            ? Inline(kind, initializer, InitializerCatalog.ByKind[kind])
            : throw new ModelFormatException($"the initializer {initializer.Kind} has no name in model files");
    }

    public static string Flow(IEnumerable<(string Key, string Value)> settings) =>
        $"{{{string.Join(", ", settings.Select(setting => $"{setting.Key}: {setting.Value}"))}}}";

    private static IEnumerable<(string Key, string Value)> Settings(string kind, object record, object defaults)
    {
        foreach (RecordSetting setting in RecordSchema.Of(record).Settings)
        {
            string value = Value(setting.Property.GetValue(record));
            bool isDefault = value == Value(setting.Property.GetValue(defaults)) && (!setting.Required || record is VarianceScaling);
            bool hidden = record is Initializer && InitializerSettings.Hides(kind, setting.Name);
            if (!isDefault && !hidden)
            {
                yield return (setting.Name, value);
            }
        }
    }

    /// <summary>A setting's value.</summary>
    internal static string Value(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        double number => Number(number),
        float number => Number(number),
        Enum name => RecordSchema.SnakeCase(name.ToString()),
        string text => Text(text),
        Schedule schedule => Inline(schedule.Kind, schedule, ScheduleCatalog.ByKind[schedule.Kind]),
        Activation activation => Inline(activation.Kind, activation, OpCatalog.ByKind[activation.Kind]),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(Value))}]",
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new ModelFormatException($"a setting of the type {value.GetType().Name} has no form in model files"),
    };

    [GeneratedRegex(@"^[\p{L}_](?:[\p{L}\p{N}_./+∇-]|:(?=[^\s,\[\]{}]))*\z")]
    private static partial Regex Plain();

    /// <summary>Words that YAML 1.1 or 1.2 reads as truth values or as nothing.</summary>
    [GeneratedRegex("^(?:true|false|yes|no|on|off|null|y|n)$", RegexOptions.IgnoreCase)]
    private static partial Regex Reserved();
}
