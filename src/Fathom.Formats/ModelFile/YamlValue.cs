using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using Fathom.Graphs.Ops;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>Reads values of the types that settings have; numbers are read the same way in every country.</summary>
internal static class YamlValue
{
    /// <summary>Reads a value, or says what would have been right.</summary>
    public static object? Read(YamlText source, string key, YamlNode node, Type type)
    {
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        if (YamlMapping.IsNull(node))
        {
            return plain != type ? null : throw source.KeyError(node, key, "the value is missing", Allowed(type));
        }
        if (MayBeInfinite(key) && node is YamlScalarNode { Value: ".inf" })
        {
            return double.PositiveInfinity;
        }
        if (IsParsed(plain))
        {
            return ParseText(plain, Written(node)) ?? throw source.KeyError(node, key, $"{Describe(node)} is not {Article(plain)}", Allowed(type));
        }
        object? value = ElementType(plain) is { } element
            ? ReadList(source, key, node, plain, element)
            : node is YamlScalarNode { Value: { } text } ? Parse(text, plain) : null;
        return value ?? throw source.KeyError(node, key, $"{Describe(node)} is not {Article(plain)}", Allowed(type));
    }

    public static int Whole(YamlText source, string key, YamlNode node, int least)
    {
        int value = (int)Read(source, key, node, typeof(int))!;
        return value >= least ? value : throw source.KeyError(node, key, $"{value.ToString(CultureInfo.InvariantCulture)} is out of range",
            $"{least.ToString(CultureInfo.InvariantCulture)} or more");
    }

    public static string Text(YamlText source, string key, YamlNode node) =>
        node is YamlScalarNode { Value: { Length: > 0 } text } ? text : throw source.KeyError(node, key, $"{Describe(node)} is not a text", "a text");

    /// <summary>A scalar as it stands in the file, or «a list», «a mapping».</summary>
    public static string Describe(YamlNode node) => node switch
    {
        YamlScalarNode scalar => ModelFormatException.Quote(scalar.Value ?? ""),
        YamlSequenceNode => "a list",
        _ => "a mapping",
    };

    /// <summary>The type of the elements if the type is a list that settings may have.</summary>
    public static Type? ElementType(Type type)
    {
        if (type.IsArray)
        {
            return type.GetElementType();
        }
        bool isList = type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(ImmutableArray<>) || type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>));
        return isList ? type.GetGenericArguments()[0] : null;
    }

    public static string Allowed(Type type)
    {
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        string allowed = ElementType(plain) is { } element ? $"a list such as [{Example(element)}, {Example(element)}]"
            : plain == typeof(Size2d) ? "a number, or height and width such as [3, 5]"
            : plain == typeof(Padding) ? "valid, same, a number, or two such as [1, 2]"
            : plain == typeof(bool) ? "true, false"
            : plain.IsEnum ? string.Join(", ", Enum.GetNames(plain).Select(RecordSchema.SnakeCase))
            : plain == typeof(int) || plain == typeof(long) || plain == typeof(ulong) ? "a whole number"
            : plain == typeof(double) ? "a finite number, such as 0.1 or 1e-3"
            : "a text";
        return plain == type ? allowed : $"{allowed}, null";
    }

    /// <summary>The one setting for which infinity means something: the largest element as the norm.</summary>
    private static bool MayBeInfinite(string key) => key == "norm_type";

    /// <summary>Whether a type brings its own way to be read, as the sizes of a kernel do.</summary>
    private static bool IsParsed(Type type) => type.Assembly == typeof(Size2d).Assembly && type.GetInterfaces()
        .Any(face => face.IsGenericType && face.GetGenericTypeDefinition() == typeof(IParsable<>));

    private static object? ParseText(Type type, string? text)
    {
        object?[] arguments = [text, CultureInfo.InvariantCulture, null];
        MethodInfo parse = type.GetMethod("TryParse", [typeof(string), typeof(IFormatProvider), type.MakeByRefType()])!;
        return text is not null && parse.Invoke(null, arguments) is true ? arguments[2] : null;
    }

    /// <summary>A scalar or a list of scalars as text.</summary>
    private static string? Written(YamlNode node) => node switch
    {
        YamlScalarNode scalar => scalar.Value,
        YamlSequenceNode list when list.Children.All(item => item is YamlScalarNode) => $"[{string.Join(", ", list.Children.Select(item => ((YamlScalarNode)item).Value))}]",
        _ => null,
    };

    private static object? Parse(string text, Type type)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        if (type == typeof(int))
        {
            return int.TryParse(text, NumberStyles.AllowLeadingSign, culture, out int whole) ? whole : null;
        }
        if (type == typeof(long))
        {
            return long.TryParse(text, NumberStyles.AllowLeadingSign, culture, out long whole) ? whole : null;
        }
        if (type == typeof(ulong))
        {
            return ulong.TryParse(text, NumberStyles.None, culture, out ulong whole) ? whole : null;
        }
        if (type == typeof(double))
        {
            return double.TryParse(text, NumberStyles.Float, culture, out double number) && double.IsFinite(number) ? number : null;
        }
        if (type == typeof(bool))
        {
            return text switch { "true" or "True" or "TRUE" => true, "false" or "False" or "FALSE" => false, _ => null };
        }
        if (type.IsEnum)
        {
            string? name = Enum.GetNames(type).FirstOrDefault(name => RecordSchema.SnakeCase(name) == text);
            return name is null ? null : Enum.Parse(type, name);
        }
        return type == typeof(string) ? text : null;
    }

    private static object? ReadList(YamlText source, string key, YamlNode node, Type type, Type element)
    {
        if (node is not YamlSequenceNode sequence)
        {
            return null;
        }
        Array items = Array.CreateInstance(element, sequence.Children.Count);
        for (int i = 0; i < items.Length; i++)
        {
            items.SetValue(Read(source, key, sequence.Children[i], element), i);
        }
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>)
            ? typeof(YamlValue).GetMethod(nameof(ToImmutable), BindingFlags.NonPublic | BindingFlags.Static)!
                .MakeGenericMethod(element).Invoke(null, [items])
            : items;
    }

    private static ImmutableArray<T> ToImmutable<T>(IList items) => [.. items.Cast<T>()];

    private static string Article(Type type) => type == typeof(int) || type == typeof(long) ? "a whole number"
        : type == typeof(ulong) ? "a whole number of 0 or more"
        : type == typeof(double) ? "a finite number"
        : type == typeof(bool) ? "true or false"
        : type == typeof(Size2d) ? "a size"
        : type == typeof(Padding) ? "a padding"
        : type.IsEnum ? "one of the names"
        : ElementType(type) is not null ? "a list"
        : "a text";

    private static string Example(Type type) => type == typeof(double) ? "0.5" : type.IsEnum ? RecordSchema.SnakeCase(Enum.GetNames(type)[0]) : "1";
}
