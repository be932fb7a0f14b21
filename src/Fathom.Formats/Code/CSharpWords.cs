using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Losses;

namespace Fathom.Formats.Code;

/// <summary>Values as C# expressions: a record by its constructor, with the settings that are not the default.</summary>
internal sealed class CSharpWords
{
    private static readonly (Initializer Value, string Name)[] Known =
    [
        (ConstantInitializer.Zeros, "ConstantInitializer.Zeros"), (ConstantInitializer.Ones, "ConstantInitializer.Ones"),
        (VarianceScaling.XavierNormal, "VarianceScaling.XavierNormal"), (VarianceScaling.XavierUniform, "VarianceScaling.XavierUniform"),
        (VarianceScaling.HeNormal, "VarianceScaling.HeNormal"), (VarianceScaling.HeUniform, "VarianceScaling.HeUniform"),
        (VarianceScaling.LeCunNormal, "VarianceScaling.LeCunNormal"), (VarianceScaling.LeCunUniform, "VarianceScaling.LeCunUniform"),
    ];

    private readonly SortedSet<string> namespaces = new(StringComparer.Ordinal) { "Fathom.Graphs", "Fathom.Graphs.Ops", "Fathom.Training" };

    public IEnumerable<string> Namespaces => namespaces.OrderBy(space => !space.StartsWith("System", StringComparison.Ordinal));

    public void Use(Type type) => namespaces.Add(type.Namespace!);

    public string Dictionary(string type, IEnumerable<string> entries)
    {
        namespaces.Add("System.Collections.Generic");
        if (type == nameof(Initializer))
        {
            Use(typeof(Initializer));
        }
        return $"new Dictionary<string, {type}> {{ {string.Join(", ", entries)} }}";
    }

    /// <summary>Whether a node holds samples: the batch first, and nothing else that grows with it.</summary>
    public static bool IsSamples(Node input)
    {
        ImmutableArray<Dim> dims = input.Outputs[0].Shape.Dims;
        return dims.Length > 0 && dims[0] == Dim.Batch && !dims.Skip(1).Any(dim => dim.PerSample);
    }

    public static string Features(Node input) => string.Join(", ", input.Outputs[0].Shape.Dims.Skip(1));

    /// <exception cref="ModelFormatException">There is no expression for it.</exception>
    public string Literal(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        string text => Text(text),
        double number => Number(number),
        int number => number.ToString(CultureInfo.InvariantCulture),
        long or ulong => ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture),
        Enum name => EnumName(name),
        Size2d size => $"new Size2d({Literal(size.Height)}, {Literal(size.Width)})",
        Padding padding => padding.IsSame ? "Padding.Same" : padding == Padding.Valid ? "Padding.Valid" : $"new Padding({Literal(padding.Height)}, {Literal(padding.Width)})",
        Shape shape => $"Shape.Of({string.Join(", ", shape.Dims.Select(dim => Literal(dim)))})",
        Dim dim => dim == Dim.Batch ? "Dim.Batch" : dim.PerSample ? $"new Dim({Literal(dim.Size)}, true)" : Literal(dim.Size),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(Literal))}]",
        Initializer initializer when Known.FirstOrDefault(known => known.Value.Equals(initializer)).Name is { } name => Named(initializer, name),
        ClassWeights { IsBalanced: true } => "ClassWeights.Balanced",
        _ => Record(value),
    };

    public static string Text(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char letter in text)
        {
            quoted.Append(letter is '"' or '\\' ? $"\\{letter}" : char.IsControl(letter) || char.IsSurrogate(letter) || letter is '\u2028' or '\u2029' ? $"\\u{(int)letter:x4}" : letter.ToString());
        }
        return quoted.Append('"').ToString();
    }

    private static string Number(double number) => number switch
    {
        double.PositiveInfinity => "double.PositiveInfinity",
        double.NegativeInfinity => "double.NegativeInfinity",
        double.NaN => "double.NaN",
        // A whole number beyond int would be read as one of another type.
        _ => number.ToString("R", CultureInfo.InvariantCulture) is var text && Math.Abs(number) >= int.MaxValue && !text.Contains('E') ? text + "d" : text,
    };

    private string Named(object value, string name)
    {
        Use(value.GetType());
        return name;
    }

    private string EnumName(Enum name)
    {
        Use(name.GetType());
        return $"{name.GetType().Name}.{name}";
    }

    private string Record(object record)
    {
        Type type = record.GetType();
        Use(type);
        ConstructorInfo? constructor = type.GetConstructors().Where(candidate => !candidate.GetParameters().Any(parameter => parameter.ParameterType == type)).MaxBy(candidate => candidate.GetParameters().Length);
        if (constructor is null || type.IsNested)
        {
            throw new ModelFormatException($"a setting of the type {type.Name} has no form in C#");
        }
        List<string> arguments = [];
        bool named = false;
        foreach (ParameterInfo parameter in constructor.GetParameters())
        {
            object? value = type.GetProperty(parameter.Name!)?.GetValue(record);
            if (parameter.HasDefaultValue && IsDefault(parameter, value))
            {
                named = true;
                continue;
            }
            arguments.Add((named || parameter.HasDefaultValue ? $"{parameter.Name}: " : "") + Literal(value));
        }
        string blocks = record is Parameter { Blocks: > 1 } stacked ? $" {{ Blocks = {Literal(stacked.Blocks)} }}" : "";
        return $"new {type.Name}({string.Join(", ", arguments)}){blocks}";
    }

    private static bool IsDefault(ParameterInfo parameter, object? value)
    {
        // A list that was not given reads as an empty one.
        if (value is IEnumerable list and not string && !list.GetEnumerator().MoveNext())
        {
            return true;
        }
        object? given = parameter.DefaultValue ?? (parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null);
        return Equals(value, given is not null && Nullable.GetUnderlyingType(parameter.ParameterType) is null && parameter.ParameterType.IsEnum ? Enum.ToObject(parameter.ParameterType, given) : given);
    }
}
