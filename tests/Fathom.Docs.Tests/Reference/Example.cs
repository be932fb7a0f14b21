using System.Collections;
using System.Globalization;
using Fathom.Formats;
using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
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
        [("OpCatalog", "pad")] = new Pad(1, 2, 2),
        [("OpCatalog", "reshape")] = new Reshape([8, 8]),
        [("OpCatalog", "select")] = new Select(),
        [("OpCatalog", "scale")] = new Scale(0),
        [("OpCatalog", "rescaling")] = new Rescaling(1.0 / 255),
        [("BlockCatalog", "transformer_block")] = new TransformerBlock(4),
        [("BlockCatalog", "recurrent")] = new Recurrent(64, Layers: 2, Bidirectional: true),
        [("BlockCatalog", "residual")] = new Residual(ResidualScale.Rezero),
        [("ScheduleCatalog", "multi_step")] = new MultiStepSchedule([10, 20]),
        [("ScheduleCatalog", "warmup")] = new WarmupSchedule(Steps: 100, Then: new CosineSchedule()),
        [("ScheduleCatalog", "plateau")] = new PlateauSchedule(Patience: 3),
        [("ScheduleCatalog", "keras_exponential_decay")] = new KerasExponentialDecay(100, 0.9),
        [("ScheduleCatalog", "keras_inverse_time_decay")] = new KerasInverseTimeDecay(100),
        [("ScheduleCatalog", "keras_polynomial_decay")] = new KerasPolynomialDecay(400),
        [("ScheduleCatalog", "keras_piecewise_constant_decay")] = new KerasPiecewiseConstantDecay([200, 400], [1, 0.5, 0.1]),
        [("ScheduleCatalog", "keras_cosine_decay")] = new KerasCosineDecay(400, WarmupSteps: 100),
        [("ScheduleCatalog", "keras_cosine_decay_restarts")] = new KerasCosineDecayRestarts(100),
        [("InitializerCatalog", "constant")] = new ConstantInitializer(0.1),
    };

    private static readonly TensorType[] Candidates =
    [
        new(Shape.OfSamples(64)), new(Shape.OfSamples(16, 32)), new(Shape.OfSamples(8, 16, 16)), new(Shape.OfSamples(12), ElementKind.Index), new(Shape.OfSamples(16, 16)),
    ];

    public static object Of(Part part) => Chosen.GetValueOrDefault((part.Catalog, part.Kind), part.Value);

    /// <summary>The part as YAML, without what stands around it.</summary>
    public static string Yaml(Part part) => YamlWords.Component(part.Kind, Of(part), part.Value);

    /// <summary>Types of inputs for the example of an op or a block: the fewest, and the plainest.</summary>
    public static TensorType[] Inputs(Part part)
    {
        for (int count = Verb.Find(part)?.LeastInputs ?? 1; count <= 4; count++)
        {
            foreach (TensorType candidate in Candidates)
            {
                TensorType[] types = [.. Enumerable.Repeat(candidate, count)];
                try
                {
                    Build(Of(part), types);
                    return types;
                }
                catch (GraphException)
                {
                    // Not these.
                }
            }
        }
        throw new InvalidOperationException($"The reference knows no input that {part.Kind} takes; add one to Candidates, or an example to Chosen.");
    }

    /// <summary>A network of the op or the block alone, and its output.</summary>
    public static (Graph Graph, Value Output) Build(object value, TensorType[] types)
    {
        GraphBuilder builder = new();
        Value[] inputs = [.. types.Select((type, index) => builder.Input(InputName(index), type))];
        Value output = value is Block block ? builder.Block(block, null, inputs) : builder.Layer((Op)value, null, inputs);
        return (builder.Build(output), output);
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
