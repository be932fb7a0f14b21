using System.Globalization;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>A layer in PyTorch.</summary>
/// <param name="Module">The module's constructor; null for a plain expression.</param>
/// <param name="Call">The expression of the output.</param>
internal sealed record TorchLayer(string? Module, string Call)
{
    /// <summary>Settings that have no form.</summary>
    public IReadOnlyList<string> Unsaid { get; init; } = [];
}

/// <summary>Ops in PyTorch's words.</summary>
internal static class PyTorchLayers
{
    /// <summary>Null for an op that PyTorch does not have with these settings.</summary>
    /// <param name="node">The node.</param>
    /// <param name="self">Its module in the class.</param>
    /// <param name="x">Variables of its data inputs.</param>
    public static TorchLayer? Of(Node node, string self, string[] x) => node.Op switch
    {
        Activation => ActivationOf(node.Op, x[0]),
        Dense { WeightStandardization: WeightStandardization.None } op => new($"nn.Linear({Join(Number(node.Inputs[0].Shape[^1].Size), Number(op.Units), Unless(op.Bias, "bias", "False"))})", $"{self}({x[0]})"),
        ConvolutionOp { WeightStandardization: WeightStandardization.None } op => Convolution(node, op, self, x[0]),
        MaxPool1d or MaxPool2d or AvgPool1d or AvgPool2d => Pool(node, x[0]),
        BatchNorm or GroupNorm or LayerNorm or RmsNorm => Norm(node, self, x[0]),
        RecurrentLayer op => Recurrent(node, op, self, x),
        Embedding op => new($"nn.Embedding({Join(Number(op.Vocabulary), Number(op.Units), Unless(op.PaddingIndex < 0, "padding_idx", Number(op.PaddingIndex)))})", $"{self}({x[0]})"),
        PositionalEmbedding op => new($"nn.Embedding({Number(op.MaxLength)}, {Number(node.Inputs[0].Shape[^1].Size)})", $"{x[0]} + {self}.weight[:{x[0]}.shape[1]]"),
        PRelu op => new($"nn.PReLU({(op.PerChannel ? Number(node.Inputs[0].Shape[op.ChannelsLast ? ^1 : 1].Size) : "1")}, init={Number(op.InitialSlope)})",
            op is { PerChannel: true, ChannelsLast: true } ? Moved($"{self}({{0}})", x[0]) : $"{self}({x[0]})"),
        Scale op => new($"Scale({Join(Number(op.InitialScale), op.Axis is { } axis ? Broadcast(axis, node.Outputs[0].Shape) : null)})", $"{self}({x[0]})"),
        Shift op => new($"Shift({Number(op.InitialShift)})", $"{self}({x[0]})"),
        Dropout op => new($"nn.Dropout({Number(op.Rate)})", $"{self}({x[0]})"),
        AlphaDropout op => new($"nn.AlphaDropout({Number(op.Rate)})", $"{self}({x[0]})"),
        MultiHeadAttention op => Attention(node, op, self, x),
        _ => Expression(node, x) is { } call ? new TorchLayer(null, call) : null,
    };

    private static TorchLayer? ActivationOf(Op op, string x)
    {
        string? call = op switch
        {
            Linear => x,
            Sigmoid => $"torch.sigmoid({x})",
            Tanh => $"torch.tanh({x})",
            Relu => $"F.relu({x})",
            Relu6 => $"F.relu6({x})",
            LeakyRelu a => $"F.leaky_relu({x}, {Number(a.NegativeSlope)})",
            Elu a => $"F.elu({x}, {Number(a.Alpha)})",
            Selu => $"F.selu({x})",
            Gelu a => a.Approximate ? $"F.gelu({x}, approximate=\"tanh\")" : $"F.gelu({x})",
            Silu => $"F.silu({x})",
            Swish a => $"{x} * torch.sigmoid({Number(a.Beta)} * {x})",
            Softplus a => $"F.softplus({x}, {Number(a.Beta)}, {Number(a.Threshold)})",
            Softsign => $"F.softsign({x})",
            Mish => $"F.mish({x})",
            HardTanh a => $"F.hardtanh({x}, {Number(a.Min)}, {Number(a.Max)})",
            HardSigmoid a => a == new HardSigmoid() ? $"F.hardsigmoid({x})" : $"torch.clamp({Number(a.Gradient)} * {x} + 0.5, 0, 1)",
            Erf => $"torch.erf({x})",
            _ => null,
        };
        return call is null ? null : new TorchLayer(null, call);
    }

    private static string? Expression(Node node, string[] x) => node.Op switch
    {
        RRelu op => $"F.rrelu({x[0]}, {Number(op.Lower)}, {Number(op.Upper)}, self.training)",
        Softmax op => $"F.softmax({x[0]}, dim={Number(op.Axis)})",
        LogSoftmax op => $"F.log_softmax({x[0]}, dim={Number(op.Axis)})",
        Glu op => $"F.glu({x[0]}, dim={Number(op.Axis)})",
        Maxout op => $"{x[0]}.unflatten(-1, (-1, {Number(op.PoolSize)})).amax(-1)",
        GaussianNoise op => $"{x[0]} + {Number(op.StandardDeviation)} * torch.randn_like({x[0]}) if self.training else {x[0]}",
        SpatialDropout op => DroppedChannels(op, node.Outputs[0].Shape.Rank - 2, x[0]),
        Pad op => $"F.pad({x[0]}, ({string.Concat(Enumerable.Repeat("0, 0, ", op.Axis < 0 ? -1 - op.Axis : node.Outputs[0].Shape.Rank - 1 - op.Axis))}{Number(op.Before)}, {Number(op.Behind)}))",
        GaussianDropout op => $"{x[0]} * (1 + {Number(Math.Sqrt(op.Rate / (1 - op.Rate)))} * torch.randn_like({x[0]})) if self.training else {x[0]}",
        Add => string.Join(" + ", x),
        Subtract => $"{x[0]} - {x[1]}",
        Multiply => string.Join(" * ", x),
        Average => $"({string.Join(" + ", x)}) / {Number(x.Length)}",
        Maximum => x.Aggregate((a, b) => $"torch.maximum({a}, {b})"),
        Minimum => x.Aggregate((a, b) => $"torch.minimum({a}, {b})"),
        GatedSum => $"{x[0]} * {x[1]} + (1 - {x[0]}) * {x[2]}",
        Rescaling op => $"{Number(op.Factor)} * {x[0]} + {Number(op.Offset)}",
        Concat op => $"torch.cat([{string.Join(", ", x)}], dim={Number(op.Axis)})",
        Flatten op => $"torch.flatten({x[0]}, {Number(op.StartDim)}, {Number(op.EndDim)})",
        Reshape => $"{x[0]}.reshape({string.Join(", ", (int[])[-1, .. Features(node.Outputs[0].Shape)])})",
        Transpose op => $"{x[0]}.permute(0, {string.Join(", ", op.Axes)})",
        Mean op => $"{x[0]}.mean({Axes(op.Axes, node.Inputs[0].Shape)}, keepdim={Flag(op.KeepDims)})",
        Max op => $"{x[0]}.amax({Axes(op.Axes, node.Inputs[0].Shape)}, keepdim={Flag(op.KeepDims)})",
        GlobalAvgPool op => $"{x[0]}.mean({Space(node, op.ChannelsLast)}, keepdim={Flag(op.KeepDims)})",
        GlobalMaxPool op => $"{x[0]}.amax({Space(node, op.ChannelsLast)}, keepdim={Flag(op.KeepDims)})",
        AdaptiveAvgPool2d op => op.ChannelsLast ? Moved($"F.adaptive_avg_pool2d({{0}}, ({Number(op.OutputSize.Height)}, {Number(op.OutputSize.Width)}))", x[0])
            : $"F.adaptive_avg_pool2d({x[0]}, ({Number(op.OutputSize.Height)}, {Number(op.OutputSize.Width)}))",
        Select op => $"{x[0]}.select({Number(op.Axis)}, {Number(op.Index)})",
        Slice op => $"{x[0]}.narrow({Number(op.Axis)}, {Number(First(op, node))}, {Number(node.Outputs[0].Shape[op.Axis < 0 ? op.Axis + node.Outputs[0].Shape.Rank : op.Axis].Size)})",
        MatMul op => $"{x[0]}{(op.TransposeA ? ".transpose(-1, -2)" : "")} @ {x[1]}{(op.TransposeB ? ".transpose(-1, -2)" : "")}",
        _ => null,
    };

    private static string DroppedChannels(SpatialDropout op, int dimensions, string x)
    {
        string call = $"F.dropout{Number(dimensions)}d({{0}}, {Number(op.Rate)}, self.training)";
        return op.ChannelsLast ? Moved(call, x) : string.Format(CultureInfo.InvariantCulture, call, x);
    }

    private static int First(Slice op, Node node)
    {
        Shape shape = node.Inputs[0].Shape;
        return op.Start < 0 ? op.Start + shape[op.Axis < 0 ? op.Axis + shape.Rank : op.Axis].Size : op.Start;
    }

    private static string Space(Node node, bool channelsLast) => Tuple(Enumerable.Range(channelsLast ? 1 : 2, node.Inputs[0].Shape.Rank - 2));

    /// <summary>A call on an image or a sequence whose channels are last, for a module that has them on axis 1.</summary>
    private static string Moved(string call, string x) => call.Replace("{0}", $"{x}.movedim(-1, 1)", StringComparison.Ordinal) + ".movedim(1, -1)";

    private static string Broadcast(int axis, Shape shape)
    {
        int[] extents = [.. Enumerable.Repeat(1, shape.Rank)];
        int at = axis < 0 ? axis + shape.Rank : axis;
        extents[at] = shape[at].Size;
        return Tuple(extents);
    }

    private static TorchLayer Convolution(Node node, ConvolutionOp op, string self, string x)
    {
        CodeWindow window = CodeWindow.Of(node)!;
        int channels = node.Inputs[0].Shape[op.ChannelsLast ? ^1 : 1].Size;
        (int filters, int groups) = op switch { Conv1d c => (c.Filters, c.Groups), Conv2d c => (c.Filters, c.Groups), _ => (channels * ((DepthwiseConv2d)op).Multiplier, channels) };
        string module = $"nn.Conv{window.Kernel.Length}d(" + Join(Number(channels), Number(filters), Size(window.Kernel),
            Unless(window.Stride.All(extent => extent == 1), "stride", Size(window.Stride)),
            Unless(!window.IsPadded || !window.IsEven, "padding", Size(window.Before)),
            Unless(window.Dilation.All(extent => extent == 1), "dilation", Size(window.Dilation)),
            Unless(groups == 1, "groups", Number(groups)), Unless(op.Bias, "bias", "False")) + ")";
        string input = op.ChannelsLast ? $"{x}.movedim(-1, 1)" : x;
        return new TorchLayer(module, $"{self}({(window.IsEven ? input : Padded(input, window, ""))}){(op.ChannelsLast ? ".movedim(1, -1)" : "")}");
    }

    private static string Padded(string x, CodeWindow window, string fill) =>
        $"F.pad({x}, {Tuple(window.Before.Zip(window.After).Reverse().SelectMany(pair => (int[])[pair.First, pair.Second]))}{fill})";

    private static TorchLayer? Pool(Node node, string x)
    {
        CodeWindow window = CodeWindow.Of(node)!;
        bool isMax = node.Op is MaxPool1d or MaxPool2d;
        bool ceil = node.Op is MaxPool1d { CeilMode: true } or MaxPool2d { CeilMode: true } or AvgPool1d { CeilMode: true } or AvgPool2d { CeilMode: true };
        bool counts = node.Op is AvgPool1d { CountIncludePad: true } or AvgPool2d { CountIncludePad: true };
        if (!window.IsEven && !isMax && !counts)
        {
            return null;
        }
        string input = window.ChannelsLast ? $"{x}.movedim(-1, 1)" : x;
        string name = $"F.{(isMax ? "max" : "avg")}_pool{window.Kernel.Length}d";
        string call = $"{name}({Join(window.IsEven ? input : Padded(input, window, isMax ? ", value=-math.inf" : ""), Size(window.Kernel),
            Unless(window.Stride.SequenceEqual(window.Kernel), "stride", Size(window.Stride)),
            Unless(!window.IsPadded || !window.IsEven, "padding", Size(window.Before)),
            Unless(window.Dilation.All(extent => extent == 1), "dilation", Size(window.Dilation)),
            Unless(!ceil, "ceil_mode", "True"), Unless(isMax || counts || !window.IsPadded, "count_include_pad", "False"))})";
        return new TorchLayer(null, call + (window.ChannelsLast ? ".movedim(1, -1)" : ""));
    }

    private static TorchLayer? Norm(Node node, string self, string x)
    {
        Shape shape = node.Inputs[0].Shape;
        switch (node.Op)
        {
            case BatchNorm op:
                string batch = $"nn.BatchNorm{(shape.Rank == 4 ? 2 : 1)}d({Join(Number(shape[op.ChannelsLast ? ^1 : 1].Size), Unless(op.Eps == 1e-5, "eps", Number(op.Eps)), Unless(op.Momentum == 0.1, "momentum", Number(op.Momentum)), Unless(op.Affine, "affine", "False"))})";
                return shape.Rank > 4 ? null : new TorchLayer(batch, op.ChannelsLast && shape.Rank > 2 ? Moved($"{self}({{0}})", x) : $"{self}({x})");
            case GroupNorm op:
                string group = $"nn.GroupNorm({Join(Number(op.NumGroups), Number(shape[op.ChannelsLast ? ^1 : 1].Size), Unless(op.Eps == 1e-5, "eps", Number(op.Eps)), Unless(op.Affine, "affine", "False"))})";
                return new TorchLayer(group, op.ChannelsLast && shape.Rank > 2 ? Moved($"{self}({{0}})", x) : $"{self}({x})");
            case LayerNorm op:
                int[] axes = op.NormalizedShape.IsEmpty ? [shape[^1].Size] : [.. op.NormalizedShape];
                return new TorchLayer($"nn.LayerNorm({Join(axes.Length == 1 ? Number(axes[0]) : Tuple(axes), Unless(op.Eps == 1e-5, "eps", Number(op.Eps)), Unless(op.Affine, "elementwise_affine", "False"))})", $"{self}({x})");
            default:
                RmsNorm rms = (RmsNorm)node.Op;
                return new TorchLayer($"nn.RMSNorm({Join(Number(shape[^1].Size), $"eps={Number(rms.Eps)}", Unless(rms.Affine, "elementwise_affine", "False"))})  # PyTorch 2.4 or later", $"{self}({x})");
        }
    }

    private static TorchLayer? Recurrent(Node node, RecurrentLayer op, string self, string[] x)
    {
        if (op.Masked || op is Gru { ResetAfter: false } || (x.Length > 1 && x.Length != 1 + op.States))
        {
            return null;
        }
        string type = op switch { Lstm => "LSTM", Gru => "GRU", _ => "RNN" };
        string module = $"nn.{type}({Join(Number(node.Inputs[0].Shape[^1].Size), Number(op.Units),
            Unless(op is not Fathom.Graphs.Ops.Rnn { Activation: RecurrentActivation.Relu }, "nonlinearity", "\"relu\""), Unless(op.Bias, "bias", "False"), "batch_first=True")})";
        string start = x.Length == 1 ? "" : x.Length == 2 ? $", {x[1]}[None]" : $", ({x[1]}[None], {x[2]}[None])";
        return new TorchLayer(module, $"{self}({x[0]}{(op.Reverse ? ".flip(1)" : "")}{start})")
        {
            Unsaid = op.Truncate > 0 ? [FormattableString.Invariant($"the gradient through time is cut every {op.Truncate} steps")] : [],
        };
    }

    private static TorchLayer? Attention(Node node, MultiHeadAttention op, string self, string[] x)
    {
        if (op.Masked || op.KeyUnits > 0 || op.ValueUnits > 0 || op.HeadUnits > 0 || op.QkNorm != QueryKeyNorm.None || x.Length > 3)
        {
            return null;
        }
        (string key, string value) = (x.Length > 1 ? x[1] : x[0], x[^1]);
        int width = node.Inputs[0].Shape[^1].Size;
        string module = $"nn.MultiheadAttention({Join(Number(width), Number(op.Heads), Unless(op.Dropout == 0, "dropout", Number(op.Dropout)), Unless(op.Bias, "bias", "False"), "batch_first=True")})";
        string mask = op.Causal ? $", attn_mask=nn.Transformer.generate_square_subsequent_mask({x[0]}.shape[1]).to({x[0]})" : "";
        return new TorchLayer(module, $"{self}({x[0]}, {key}, {value}, need_weights=False{mask})[0]");
    }
}
