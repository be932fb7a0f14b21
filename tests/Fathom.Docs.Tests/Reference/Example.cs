using System.Collections;
using System.Globalization;
using Fathom.Formats;
using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Schedules;

namespace Fathom.Docs.Tests.Reference;

/// <summary>How a part is written in a model file and in C#.</summary>
internal static class Example
{
    /// <summary>Where the catalog's default says nothing or is not allowed.</summary>
    private static readonly Dictionary<(string Catalog, string Kind), object> Chosen = new()
    {
        [("OpCatalog", "dense")] = new Dense(64),
        [("OpCatalog", "leaky_relu")] = new LeakyRelu(0.1),
        [("OpCatalog", "group_norm")] = new GroupNorm(8),
        [("OpCatalog", "embedding")] = new Embedding(1000, 64),
        [("OpCatalog", "positional_embedding")] = new PositionalEmbedding(512),
        [("OpCatalog", "multi_head_attention")] = new MultiHeadAttention(4),
        [("OpCatalog", "conv1d")] = new Conv1d(32, 3),
        [("OpCatalog", "conv2d")] = new Conv2d(32, 3, Padding: Padding.Same),
        [("OpCatalog", "depthwise_conv2d")] = new DepthwiseConv2d(3),
        [("OpCatalog", "max_pool1d")] = new MaxPool1d(2),
        [("OpCatalog", "max_pool2d")] = new MaxPool2d(2),
        [("OpCatalog", "avg_pool1d")] = new AvgPool1d(2),
        [("OpCatalog", "avg_pool2d")] = new AvgPool2d(2),
        [("OpCatalog", "adaptive_avg_pool2d")] = new AdaptiveAvgPool2d(4),
        [("OpCatalog", "rnn")] = new Rnn(64),
        [("OpCatalog", "lstm")] = new Lstm(64),
        [("OpCatalog", "gru")] = new Gru(64),
        [("OpCatalog", "transpose")] = new Transpose([2, 1]),
        [("OpCatalog", "slice")] = new Slice(1, 0, 8),
        [("OpCatalog", "reshape")] = new Reshape([8, 8]),
        [("ScheduleCatalog", "multi_step")] = new MultiStepSchedule([10, 20]),
        [("ScheduleCatalog", "warmup")] = new WarmupSchedule(Steps: 100, Then: new CosineSchedule()),
        [("ScheduleCatalog", "plateau")] = new PlateauSchedule(Patience: 3),
        [("InitializerCatalog", "constant")] = new ConstantInitializer(0.1),
    };

    private static readonly TensorType[] Candidates =
    [
        new(Shape.OfSamples(64)), new(Shape.OfSamples(16, 32)), new(Shape.OfSamples(8, 16, 16)), new(Shape.OfSamples(12), ElementKind.Index), new(Shape.OfSamples(16, 16)),
    ];

    public static object Of(Part part) => Chosen.GetValueOrDefault((part.Catalog, part.Kind), part.Value);

    /// <summary>The part as YAML, without what stands around it.</summary>
    public static string Yaml(Part part) => YamlWords.Component(part.Kind, Of(part), part.Value);

    /// <summary>Types of inputs that an op takes: the fewest, and the plainest.</summary>
    /// <param name="op">The op.</param>
    /// <param name="least">How many inputs at least.</param>
    public static TensorType[] Inputs(Op op, int least)
    {
        for (int count = least; count <= 4; count++)
        {
            foreach (TensorType candidate in Candidates)
            {
                TensorType[] types = [.. Enumerable.Repeat(candidate, count)];
                try
                {
                    Node(op, types);
                    return types;
                }
                catch (GraphException)
                {
                    // Not these.
                }
            }
        }
        throw new InvalidOperationException($"The reference knows no input that {op.Kind} takes; add one to Candidates, or an example to Chosen.");
    }

    /// <summary>Types of inputs for an op's example.</summary>
    public static TensorType[] Inputs(Part part) => Inputs((Op)Of(part), Verb.Find(part)?.LeastInputs ?? 1);

    /// <summary>The plainest input that a block takes.</summary>
    public static TensorType Input(Block block)
    {
        foreach (TensorType candidate in Candidates.Where(candidate => candidate.Kind == ElementKind.Real))
        {
            try
            {
                GraphBuilder builder = new();
                builder.Block(block, null, [builder.Input(InputName(0), candidate)]);
                return candidate;
            }
            catch (GraphException)
            {
                // Not this.
            }
        }
        return Candidates[0]; // a block that goes around layers
    }

    /// <summary>A layer of the op on such inputs.</summary>
    public static Node Node(Op op, TensorType[] types)
    {
        GraphBuilder builder = new();
        Value[] inputs = [.. types.Select((type, index) => builder.Input(InputName(index), type))];
        return builder.Layer(op, null, inputs).Node;
    }

    public static string InputName(int index) => ((char)('a' + index)).ToString();

    /// <summary>A value as C# writes it.</summary>
    public static string CSharp(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        string text => $"\"{text}\"",
        Enum name => $"{name.GetType().Name}.{name}",
        Padding { IsSame: true } => "Padding.Same",
        Padding padding when padding == Padding.Valid => "Padding.Valid",
        IEnumerable when value.GetType().GetProperty("IsDefault")?.GetValue(value) is true => "[]",
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(CSharp))}]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => Construction(value),
    };

    /// <summary><c>new Huber(Delta: 0.5)</c>: the settings that have no default, and those that differ from it.</summary>
    public static string Construction(object value)
    {
        List<string> arguments = [];
        bool named = false;
        foreach (RecordSetting setting in RecordSchema.Of(value).Settings)
        {
            object? given = setting.Property.GetValue(value);
            System.Reflection.ParameterInfo parameter = value.GetType().GetConstructors().SelectMany(constructor => constructor.GetParameters()).First(candidate => candidate.Name == setting.Property.Name);
            if (!setting.Required && Equals(CSharp(given), CSharp(Default(parameter))))
            {
                named = true;
                continue;
            }
            arguments.Add(named ? $"{setting.Property.Name}: {CSharp(given)}" : CSharp(given));
        }
        return $"new {value.GetType().Name}({string.Join(", ", arguments)})";
    }

    /// <summary>The value of a parameter that is left out; reflection gives enums as numbers and the default of a structure as null.</summary>
    public static object? Default(System.Reflection.ParameterInfo parameter)
    {
        Type type = parameter.ParameterType;
        return parameter.DefaultValue is { } value ? type.IsEnum ? Enum.ToObject(type, value) : value
            : type is { IsValueType: true, IsByRefLike: false } && Nullable.GetUnderlyingType(type) is null ? Activator.CreateInstance(type) : null;
    }
}
