using System.Globalization;
using System.Text.Json;

namespace Fathom.Formats.Keras;

/// <summary>
/// A JSON object of a Keras file that knows what it belongs to, so that every error can say it, and remembers which
/// keys were read.
/// </summary>
internal sealed class KerasJson
{
    private readonly HashSet<string> read = new(StringComparer.Ordinal);

    public KerasJson(string file, string? owner, JsonElement element)
    {
        (File, Owner, Element) = (file, owner, element);
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Error($"a JSON object is expected, {Describe(element)} is given");
        }
    }

    public string File { get; }

    /// <summary>What it belongs to, such as «layer 'dense_1' (Dense)»; null for the file as a whole.</summary>
    public string? Owner { get; }

    public JsonElement Element { get; }

    /// <summary>Keys with a value that nobody asked for.</summary>
    public IEnumerable<string> Unread => Element.EnumerateObject()
        .Where(property => property.Value.ValueKind != JsonValueKind.Null && !read.Contains(property.Name)).Select(property => property.Name);

    public ModelFormatException Error(string problem) => new(Owner is null ? $"{File}: {problem}" : $"{File}: {Owner}: {problem}");

    public ModelFormatException KeyError(string key, string problem, string? allowed = null) =>
        Error($"key {ModelFormatException.Quote(key)}: {problem}{(allowed is null ? "" : $"; allowed: {allowed}")}");

    /// <summary>The value of a key, or null if it is absent or null.</summary>
    public JsonElement? Find(string key)
    {
        read.Add(key);
        return Element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public JsonElement Require(string key, string allowed) => Find(key) ?? throw KeyError(key, "the key is missing", allowed);

    public bool Has(string key) => Find(key) is not null;

    /// <summary>Takes note of keys that do not matter.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            read.Add(key);
        }
    }

    /// <summary>The object under a key, which belongs to the same thing; null if there is none.</summary>
    public KerasJson? Object(string key) => Find(key) is { } value ? new KerasJson(File, Owner, value) : null;

    public string Text(string key, string? fallback = null)
    {
        JsonElement value = Find(key) ?? (fallback is null ? Require(key, "a text") : default);
        return value.ValueKind switch
        {
            JsonValueKind.Undefined => fallback!,
            JsonValueKind.String => value.GetString()!,
            _ => throw KeyError(key, $"{Describe(value)} is not a text", "a text"),
        };
    }

    public bool Flag(string key, bool fallback) => Find(key) is not { } value ? fallback
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw KeyError(key, $"{Describe(value)} is not true or false", "true, false");

    /// <summary>A finite number.</summary>
    public double Number(string key, double? fallback = null) => Number(key, Find(key) ?? (fallback is null ? Require(key, "a number") : default), fallback ?? 0);

    /// <summary>A number that is more than 0.</summary>
    public double Positive(string key, double? fallback = null)
    {
        double value = Number(key, fallback);
        return value > 0 ? value : throw KeyError(key, string.Create(CultureInfo.InvariantCulture, $"{value} is out of range"), "greater than 0");
    }

    /// <summary>A list of finite numbers.</summary>
    public double[] Numbers(string key)
    {
        JsonElement list = Require(key, "a list of numbers");
        return list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(number => Number(key, number, 0))]
            : throw KeyError(key, $"{Describe(list)} is not a list", "a list of numbers");
    }

    public int Whole(string key, int least, int? fallback = null)
    {
        JsonElement element = Find(key) ?? (fallback is null ? Require(key, "a whole number") : default);
        if (element.ValueKind == JsonValueKind.Undefined)
        {
            return fallback!.Value;
        }
        if (element.ValueKind != JsonValueKind.Number || !IsWhole(element, out int value))
        {
            throw KeyError(key, $"{Describe(element)} is not a whole number", string.Create(CultureInfo.InvariantCulture, $"a whole number of {least} or more"));
        }
        return value >= least ? value
            : throw KeyError(key, string.Create(CultureInfo.InvariantCulture, $"{value} is out of range"), string.Create(CultureInfo.InvariantCulture, $"{least} or more"));
    }

    /// <summary>The list of extents under a key, without the batch; null if the key is absent.</summary>
    public int[]? Extents(string key, bool hasBatch, bool allowUnknown = false)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }
        if (value.ValueKind != JsonValueKind.Array)
        {
            throw KeyError(key, $"{Describe(value)} is not a shape", "a list such as [null, 64]");
        }
        int[] all = [.. value.EnumerateArray().Skip(hasBatch ? 1 : 0).Select(extent => Extent(key, extent, allowUnknown))];
        return hasBatch && value.GetArrayLength() == 0 ? throw KeyError(key, "the shape has no batch axis", "a list such as [null, 64]") : all;
    }

    /// <summary>A value as a message may show it.</summary>
    public static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => ModelFormatException.Quote(value.GetString()!),
        JsonValueKind.Undefined => "nothing",
        _ => ModelFormatException.Quote(value.GetRawText()),
    };

    private int Extent(string key, JsonElement extent, bool allowUnknown)
    {
        if (extent.ValueKind == JsonValueKind.Number && IsWhole(extent, out int size) && (size >= 1 || (allowUnknown && size == -1)))
        {
            return size;
        }
        throw KeyError(key, extent.ValueKind == JsonValueKind.Null ? "an extent other than the batch is open (null)" : $"{Describe(extent)} is not an extent",
            "whole numbers of 1 or more");
    }

    private double Number(string key, JsonElement value, double fallback)
    {
        if (value.ValueKind == JsonValueKind.Undefined)
        {
            return fallback;
        }
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !double.IsFinite(number))
        {
            throw KeyError(key, $"{Describe(value)} is not a finite number", "a finite number");
        }
        return Unwidened(number);
    }

    /// <summary>
    /// Keras writes float32 settings with all digits of a double (0.001 as 0.0010000000474974513); this gives back the
    /// number that was meant.
    /// </summary>
    internal static double Unwidened(double number) => (double)(float)number == number
        ? double.Parse(((float)number).ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
        : number;

    /// <summary>JSON knows no integers: 64 and 64.0 are the same number.</summary>
    private static bool IsWhole(JsonElement element, out int value)
    {
        bool isNumber = element.TryGetDouble(out double number) && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue;
        value = isNumber ? (int)number : 0;
        return isNumber;
    }
}
