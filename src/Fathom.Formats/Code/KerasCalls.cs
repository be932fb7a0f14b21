using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>A layer in Keras.</summary>
/// <param name="Layer">The class; null if <paramref name="Input"/> is the whole expression.</param>
/// <param name="Settings">Settings; null for those that are left out.</param>
/// <param name="Input">What it is called on.</param>
internal sealed record KerasCall(string? Layer, string?[] Settings, string Input)
{
    /// <summary>Settings that have no form.</summary>
    public IReadOnlyList<string> Unsaid { get; init; } = [];
}

/// <summary>Ops in the words of Keras 3.</summary>
internal static class KerasCalls
{
    /// <summary>Null for an op that Keras does not have with these settings.</summary>
    /// <param name="node">The node.</param>
    /// <param name="x">Variables of its data inputs.</param>
    public static KerasCall? Of(Node node, string[] x) => node.Op switch
    {
        Activation => Function(node.Op) is { } function ? new("layers.Activation", [function], x[0]) : ActivationOf(node.Op, x[0]),
        Dense { WeightStandardization: WeightStandardization.None } op => new("layers.Dense", [Number(op.Units), Unless(op.Bias, "use_bias", "False")], x[0]),
        ConvolutionOp { WeightStandardization: WeightStandardization.None } op => Convolution(node, op, x[0]),
        MaxPool1d or MaxPool2d or AvgPool1d or AvgPool2d => Pool(node, x[0]),
        BatchNorm op => new("layers.BatchNormalization", [$"axis={(op.ChannelsLast || node.Outputs[0].Shape.Rank == 2 ? "-1" : "1")}",
            $"momentum={Number((double)(1 - (decimal)op.Momentum))}", $"epsilon={Number(op.Eps)}", Unless(op.Affine, "center", "False"), Unless(op.Affine, "scale", "False")], x[0]),
        LayerNorm op => new("layers.LayerNormalization", [$"axis={LastAxes(op)}", $"epsilon={Number(op.Eps)}", Unless(op.Affine, "center", "False"), Unless(op.Affine, "scale", "False")], x[0]),
        GroupNorm op => new("layers.GroupNormalization", [Number(op.NumGroups), $"axis={(op.ChannelsLast ? "-1" : "1")}", $"epsilon={Number(op.Eps)}", Unless(op.Affine, "center", "False"), Unless(op.Affine, "scale", "False")], x[0]),
        RmsNorm { Affine: true } op => new("layers.RMSNormalization", [$"epsilon={Number(op.Eps)}"], x[0]),
        RecurrentLayer op => Recurrent(op, x),
        Embedding { PaddingIndex: < 0 } op => new("layers.Embedding", [Number(op.Vocabulary), Number(op.Units)], x[0]),
        PRelu op => new("layers.PReLU", [$"shared_axes={SharedAxes(op, node)}"], x[0]),
        Scale op => new("Learnt", [Number(op.InitialScale), op.Axis is { } axis ? $"shape={Broadcast(axis, node.Outputs[0].Shape)}" : null], x[0]),
        Shift op => new("Learnt", [Number(op.InitialShift), "adds=True"], x[0]),
        Dropout op => new("layers.Dropout", [Number(op.Rate)], x[0]),
        AlphaDropout op => new("layers.AlphaDropout", [Number(op.Rate)], x[0]),
        SpatialDropout op when node.Outputs[0].Shape.Rank is 3 or 4 && (op.ChannelsLast || node.Outputs[0].Shape.Rank == 4) => node.Outputs[0].Shape.Rank == 3
            ? new("layers.SpatialDropout1D", [Number(op.Rate)], x[0])
            : new("layers.SpatialDropout2D", [Number(op.Rate), $"data_format=\"channels_{(op.ChannelsLast ? "last" : "first")}\""], x[0]),
        Pad op => new(null, [], $"keras.ops.pad({x[0]}, [{string.Join(", ", Enumerable.Range(0, node.Outputs[0].Shape.Rank).Select(axis => axis == Positive(op.Axis, node.Outputs[0].Shape) ? $"({Number(op.Before)}, {Number(op.Behind)})" : "(0, 0)"))}])"),
        GaussianDropout op => new("layers.GaussianDropout", [Number(op.Rate)], x[0]),
        GaussianNoise op => new("layers.GaussianNoise", [Number(op.StandardDeviation)], x[0]),
        _ => Merge(node, x) ?? (Expression(node, x) is { } call ? new KerasCall(null, [], call) : null),
    };

    /// <summary>A trainable slot's prefix in Keras' settings; null for one that Keras has no initializer for.</summary>
    public static string? Setting(Op op, string slot) => (op, slot) switch
    {
        (RecurrentLayer, "weight_ih") => "kernel",
        (RecurrentLayer, "weight_hh") => "recurrent",
        (RecurrentLayer, "bias_ih") => "bias",
        (RecurrentLayer, _) => null, // Keras adds up both biases, and the second starts at 0
        (BatchNorm or LayerNorm or GroupNorm, "weight") => "gamma",
        (BatchNorm or LayerNorm or GroupNorm, _) => "beta",
        (RmsNorm or Scale or Shift, _) => null,
        (Embedding, _) => "embeddings",
        (PRelu, _) => "alpha",
        (DepthwiseConv2d, "weight") => "depthwise",
        (Dense or ConvolutionOp, "weight") => "kernel",
        (Dense or ConvolutionOp, _) => "bias",
        _ => null,
    };

    /// <summary>The initializer; empty where the layer starts like this anyway, null if Keras has none.</summary>
    public static string? Initializer(Node node, LayerPart part)
    {
        Initializer initializer = part.Parameter.Initializer;
        bool isTheirs = (node.Op is BatchNorm or LayerNorm or GroupNorm && initializer.Equals(part.Slot.Initializer))
            || (node.Op is Dense or ConvolutionOp && initializer is ConstantInitializer { Number: 0 } && part.Slot.Name == "bias");
        return isTheirs ? "" : initializer switch
        {
            ConstantInitializer constant => $"keras.initializers.Constant({Number(constant.Number)})",
            ForgetGateBias { Number: 1 } => "\"zeros\"",
            NormalInitializer normal => $"keras.initializers.RandomNormal({Number(normal.Center)}, {Number(normal.StandardDeviation)})",
            UniformInitializer uniform => $"keras.initializers.RandomUniform({Number(uniform.Low)}, {Number(uniform.High)})",
            TruncatedNormalInitializer { Low: -2, High: 2 } cut => $"keras.initializers.TruncatedNormal({Number(cut.Center)}, {Number(cut.StandardDeviation)})",
            Orthogonal orthogonal when part.Parameter.Blocks == 1 => $"keras.initializers.Orthogonal({Number(orthogonal.Gain)})",
            IdentityInitializer identity when part.Parameter.Blocks == 1 => $"keras.initializers.Identity({Number(identity.Gain)})",
            Orthogonal orthogonal => ByGate($"Orthogonal({Number(orthogonal.Gain)})", part.Parameter.Blocks),
            IdentityInitializer identity => ByGate($"Identity({Number(identity.Gain)})", part.Parameter.Blocks),
            VarianceScaling scaling when part.Parameter.Blocks == 1 && node.Op is not DepthwiseConv2d => Scaling(scaling),
            VarianceScaling scaling => Drawn(scaling, Math.Sqrt(scaling.Variance(part.Parameter.Fans))),
            _ => null,
        };
    }

    /// <summary>Keras would make the rows orthogonal over all gates together, which halves the gain of four.</summary>
    private static string ByGate(string initializer, int gates) =>
        $"lambda shape, dtype=None: keras.ops.concatenate([keras.initializers.{initializer}((shape[0], shape[1] // {Number(gates)}), dtype) for _ in range({Number(gates)})], axis=-1)";

    private static string Scaling(VarianceScaling scaling) =>
        $"keras.initializers.VarianceScaling({Number(scaling.Scale)}, \"{(scaling.Mode switch { FanMode.In => "fan_in", FanMode.Out => "fan_out", _ => "fan_avg" })}\", "
        + $"\"{(scaling.Distribution switch { WeightDistribution.Uniform => "uniform", WeightDistribution.Normal => "untruncated_normal", _ => "truncated_normal" })}\")";

    /// <summary>Gates that start one by one have fans of their own, which Keras does not know of.</summary>
    private static string Drawn(VarianceScaling scaling, double deviation) => scaling.Distribution switch
    {
        WeightDistribution.Uniform => $"keras.initializers.RandomUniform({Number(-Math.Sqrt(3) * deviation)}, {Number(Math.Sqrt(3) * deviation)})",
        WeightDistribution.Normal => $"keras.initializers.RandomNormal(0.0, {Number(deviation)})",
        _ => $"keras.initializers.TruncatedNormal(0.0, {Number(deviation / 0.87962566103423978)})",
    };

    private static string? Function(Op op) => op switch
    {
        Linear => "\"linear\"",
        Sigmoid => "\"sigmoid\"",
        Tanh => "\"tanh\"",
        Relu => "\"relu\"",
        Relu6 => "\"relu6\"",
        Elu { Alpha: 1 } => "\"elu\"",
        Selu => "\"selu\"",
        Silu => "\"silu\"",
        Softplus { Beta: 1 } => "\"softplus\"",
        Softsign => "\"softsign\"",
        Mish => "\"mish\"",
        HardTanh { Min: -1, Max: 1 } => "\"hard_tanh\"",
        HardSigmoid { Gradient: 1.0 / 6 } => "\"hard_sigmoid\"",
        _ => null,
    };

    private static KerasCall? ActivationOf(Op op, string x) => op switch
    {
        LeakyRelu a => new("layers.LeakyReLU", [$"negative_slope={Number(a.NegativeSlope)}"], x),
        Elu a => new("layers.ELU", [$"alpha={Number(a.Alpha)}"], x),
        Gelu a => new(null, [], $"keras.ops.gelu({x}, approximate={Flag(a.Approximate)})"),
        Swish a => new(null, [], $"{x} * keras.ops.sigmoid({Number(a.Beta)} * {x})"),
        Softplus a => new(null, [], $"keras.ops.softplus({Number(a.Beta)} * {x}) / {Number(a.Beta)}"),
        HardTanh a => new(null, [], $"keras.ops.clip({x}, {Number(a.Min)}, {Number(a.Max)})"),
        HardSigmoid a => new(null, [], $"keras.ops.clip({Number(a.Gradient)} * {x} + 0.5, 0, 1)"),
        Erf => new(null, [], $"keras.ops.erf({x})"),
        _ => null,
    };

    private static KerasCall? Merge(Node node, string[] x)
    {
        string all = $"[{string.Join(", ", x)}]";
        return node.Op switch
        {
            Add => new("layers.Add", [], all),
            Subtract => new("layers.Subtract", [], all),
            Multiply => new("layers.Multiply", [], all),
            Average => new("layers.Average", [], all),
            Maximum => new("layers.Maximum", [], all),
            Minimum => new("layers.Minimum", [], all),
            Concat op => new("layers.Concatenate", [$"axis={Number(op.Axis)}"], all),
            Flatten { StartDim: 1, EndDim: -1 } => new("layers.Flatten", [], x[0]),
            Reshape => new("layers.Reshape", [Tuple(Features(node.Outputs[0].Shape))], x[0]),
            Rescaling op => new("layers.Rescaling", [Number(op.Factor), Unless(op.Offset == 0, "offset", Number(op.Offset))], x[0]),
            Softmax op => new("layers.Softmax", [$"axis={Number(op.Axis)}"], x[0]),
            _ => null,
        };
    }

    private static string? Expression(Node node, string[] x)
    {
        Shape shape = node.DataInputs.First().Shape;
        return node.Op switch
        {
            LogSoftmax op => $"keras.ops.log_softmax({x[0]}, axis={Number(op.Axis)})",
            Glu op => $"keras.ops.glu({x[0]}, axis={Number(op.Axis)})",
            Maxout op => $"keras.ops.max(keras.ops.reshape({x[0]}, (-1, {string.Join(", ", (int[])[.. Features(node.Outputs[0].Shape), op.PoolSize])})), axis=-1)",
            GatedSum => $"{x[0]} * {x[1]} + (1 - {x[0]}) * {x[2]}",
            Transpose op => $"keras.ops.transpose({x[0]}, {Tuple([0, .. op.Axes])})",
            Mean op => $"keras.ops.mean({x[0]}, axis={Axes(op.Axes, shape)}, keepdims={Flag(op.KeepDims)})",
            Max op => $"keras.ops.max({x[0]}, axis={Axes(op.Axes, shape)}, keepdims={Flag(op.KeepDims)})",
            GlobalAvgPool op => $"keras.ops.mean({x[0]}, axis={Space(shape, op.ChannelsLast)}, keepdims={Flag(op.KeepDims)})",
            GlobalMaxPool op => $"keras.ops.max({x[0]}, axis={Space(shape, op.ChannelsLast)}, keepdims={Flag(op.KeepDims)})",
            Select op => $"keras.ops.take({x[0]}, {Number(op.Index < 0 ? op.Index + shape[Positive(op.Axis, shape)].Size : op.Index)}, axis={Number(Positive(op.Axis, shape))})",
            Slice op => $"{x[0]}[{string.Concat(Enumerable.Repeat(":, ", Positive(op.Axis, shape)))}{Range(op, node)}]",
            _ => null,
        };
    }

    private static int Positive(int axis, Shape shape) => axis < 0 ? axis + shape.Rank : axis;

    private static string Range(Slice op, Node node)
    {
        int axis = Positive(op.Axis, node.Outputs[0].Shape);
        int start = op.Start < 0 ? op.Start + node.Inputs[0].Shape[axis].Size : op.Start;
        return $"{Number(start)}:{Number(start + node.Outputs[0].Shape[axis].Size)}";
    }

    private static string Space(Shape shape, bool channelsLast) => Tuple(Enumerable.Range(channelsLast ? 1 : 2, shape.Rank - 2));

    /// <summary>The extents behind the batch, 1 but for one axis.</summary>
    private static string Broadcast(int axis, Shape shape)
    {
        int[] extents = [.. Enumerable.Repeat(1, shape.Rank)];
        extents[Positive(axis, shape)] = shape[Positive(axis, shape)].Size;
        return Tuple(extents.Skip(1));
    }

    private static string LastAxes(LayerNorm op)
    {
        int count = Math.Max(1, op.NormalizedShape.Length);
        return count == 1 ? "-1" : Tuple(Enumerable.Range(-count, count));
    }

    private static string SharedAxes(PRelu op, Node node)
    {
        int rank = node.Outputs[0].Shape.Rank;
        string axes = string.Join(", ", Enumerable.Range(1, rank - 1).Where(axis => !op.PerChannel || axis != (op.ChannelsLast ? rank - 1 : 1)));
        return $"[{axes}]";
    }

    private static string Format(bool channelsLast) => $"data_format=\"channels_{(channelsLast ? "last" : "first")}\"";

    private static KerasCall Convolution(Node node, ConvolutionOp op, string x)
    {
        CodeWindow window = CodeWindow.Of(node)!;
        string name = op is DepthwiseConv2d ? "DepthwiseConv2D" : $"Conv{Number(window.Kernel.Length)}D";
        string? multiplier = op is DepthwiseConv2d { Multiplier: not 1 } depthwise ? $"depth_multiplier={Number(depthwise.Multiplier)}" : null;
        (int filters, int groups) = op switch { Conv1d c => (c.Filters, c.Groups), Conv2d c => (c.Filters, c.Groups), _ => (0, 1) };
        return new KerasCall($"layers.{name}", [op is DepthwiseConv2d ? null : Number(filters), Size(window.Kernel),
            Unless(window.Stride.All(extent => extent == 1), "strides", Size(window.Stride)), Unless(!window.IsSame, "padding", "\"same\""), Format(op.ChannelsLast),
            Unless(window.Dilation.All(extent => extent == 1), "dilation_rate", Size(window.Dilation)), Unless(groups == 1, "groups", Number(groups)), multiplier, Unless(op.Bias, "use_bias", "False")],
            Padded(x, window, "0.0"));
    }

    private static KerasCall? Pool(Node node, string x)
    {
        CodeWindow window = CodeWindow.Of(node)!;
        bool isMax = node.Op is MaxPool1d or MaxPool2d;
        bool ceil = node.Op is MaxPool1d { CeilMode: true } or MaxPool2d { CeilMode: true } or AvgPool1d { CeilMode: true } or AvgPool2d { CeilMode: true };
        bool counts = node.Op is AvgPool1d { CountIncludePad: true } or AvgPool2d { CountIncludePad: true };
        // Keras' own padding is not counted in a mean.
        bool fits = isMax || !window.IsPadded || counts != window.IsSame;
        return ceil || !fits || window.Dilation.Any(extent => extent > 1) ? null
            : new KerasCall($"layers.{(isMax ? "Max" : "Average")}Pooling{Number(window.Kernel.Length)}D", [Size(window.Kernel),
                Unless(window.Stride.SequenceEqual(window.Kernel), "strides", Size(window.Stride)), Unless(!window.IsSame, "padding", "\"same\""), Format(window.ChannelsLast)],
                Padded(x, window, isMax ? "-math.inf" : "0.0"));
    }

    private static string Padded(string x, CodeWindow window, string fill)
    {
        if (window.IsSame || !window.IsPadded)
        {
            return x;
        }
        string space = string.Join(", ", window.Before.Zip(window.After).Select(pair => Tuple([pair.First, pair.Second])));
        return $"keras.ops.pad({x}, ((0, 0), {(window.ChannelsLast ? $"{space}, (0, 0)" : $"(0, 0), {space}")}), constant_values={fill})";
    }

    private static KerasCall? Recurrent(RecurrentLayer op, string[] x)
    {
        if (op.Masked || x.Length > 1)
        {
            return null;
        }
        List<string> unsaid = op.Truncate > 0 ? [FormattableString.Invariant($"the gradient through time is cut every {op.Truncate} steps")] : [];
        string name = op switch { Lstm => "LSTM", Gru => "GRU", _ => "SimpleRNN" };
        string? own = op switch { Gru gru => $"reset_after={Flag(gru.ResetAfter)}", Fathom.Graphs.Ops.Rnn { Activation: RecurrentActivation.Relu } => "activation=\"relu\"", _ => null };
        return new KerasCall($"layers.{name}", [Number(op.Units), "return_sequences=True", "return_state=True", own, Unless(op.Bias, "use_bias", "False"), Unless(!op.Reverse, "go_backwards", "True")], x[0]) { Unsaid = unsaid };
    }
}
