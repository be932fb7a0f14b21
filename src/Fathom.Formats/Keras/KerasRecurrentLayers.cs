using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>SimpleRNN, LSTM and GRU, and both directions of one.</summary>
internal static class KerasRecurrentLayers
{
    /// <summary>One direction. Its results are the sequence or the last state, and with return_state the states.</summary>
    public static void Read(KerasLayer layer)
    {
        bool returnsSequences = layer.Config.Flag("return_sequences", false);
        bool returnsState = layer.Config.Flag("return_state", false);
        bool isReversed = layer.Config.Flag("go_backwards", false);
        if (isReversed && returnsSequences)
        {
            throw layer.Config.KeyError("go_backwards", "a sequence that is returned from its end to its beginning is not supported", "false, or return_sequences false, or Bidirectional");
        }
        string node = Emit(layer, layer.Name, isReversed);
        layer.Outputs.Add(returnsSequences ? node : node + ":1");
        if (returnsState)
        {
            layer.Outputs.AddRange(layer.ClassName == "LSTM" ? [node + ":1", node + ":2"] : [node + ":1"]);
        }
        layer.OutputMask = returnsSequences ? layer.Mask(0) : null;
    }

    public static void ReadBidirectional(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        KerasLayer forward = Inner(layer, "layer", "forward") ?? throw config.KeyError("layer", "the key is missing", "a recurrent layer");
        KerasLayer backward = Inner(layer, "backward_layer", "backward") ?? Inner(layer, "layer", "backward")!;
        bool returnsSequences = forward.Config.Flag("return_sequences", false);
        if (forward.Config.Flag("return_state", false) || layer.Inputs.Count > 1)
        {
            throw config.Error("states that are given to both directions, or returned by them, are not supported");
        }
        backward.Config.Ignore("go_backwards", "return_sequences", "return_state");
        forward.Config.Ignore("go_backwards");
        string result = returnsSequences ? "" : ":1";
        string[] both = [Emit(forward, forward.Name, isReversed: false) + result, Emit(backward, backward.Name, isReversed: true) + result];
        string mode = config.Text("merge_mode", "concat");
        Op merge = mode switch
        {
            "concat" => new Concat(-1),
            "sum" => new Add(),
            "mul" => new Multiply(),
            "ave" => new Average(),
            _ => throw config.KeyError("merge_mode", $"{ModelFormatException.Quote(mode)} is not supported", "concat, sum, mul, ave"),
        };
        layer.Emit(new KerasNode(layer.Name, merge) { From = both });
        layer.OutputMask = returnsSequences ? layer.Mask(0) : null;
        foreach (string key in forward.Config.Unread)
        {
            layer.Warn($"the setting {ModelFormatException.Quote(key)} is not known and is left out");
        }
    }

    private static KerasLayer? Inner(KerasLayer layer, string key, string direction)
    {
        if (layer.Config.Object(key) is not { } entry)
        {
            return null;
        }
        string className = entry.Text("class_name");
        if (className is not ("SimpleRNN" or "LSTM" or "GRU"))
        {
            throw layer.Config.KeyError(key, $"{ModelFormatException.Quote(className)} in both directions is not supported", "SimpleRNN, LSTM, GRU");
        }
        KerasJson config = new(layer.Config.File, layer.Config.Owner, entry.Require("config", "an object"));
        config.Ignore("name", "dtype", "trainable", "seed", "batch_input_shape");
        return layer.Inner(config, className, $"{layer.Name}_{direction}");
    }

    private static string Emit(KerasLayer layer, string name, bool isReversed)
    {
        KerasJson config = layer.Config;
        int units = config.Whole("units", 1);
        bool bias = config.Flag("use_bias", true);
        Refuse(layer);
        bool isMasked = layer.Mask(0) is not null;
        RecurrentLayer op = layer.ClassName switch
        {
            "LSTM" => ReadLstm(layer, units, bias, isReversed, isMasked),
            "GRU" => ReadGru(layer, units, bias, isReversed, isMasked),
            _ => new Rnn(units, Activation(layer), bias, RecurrentBias: false, isReversed, isMasked),
        };
        Dictionary<string, Initializer> initializers = ReadBias(layer, bias, op);
        Initializer kernel = KerasInitializers.Read(config, "kernel_initializer") ?? VarianceScaling.XavierUniform;
        Initializer recurrent = KerasInitializers.Read(config, "recurrent_initializer") ?? new Orthogonal();
        layer.ReadBounds("kernel", op.ParameterName(name, "weight_ih"));
        layer.ReadBounds("recurrent", op.ParameterName(name, "weight_hh"));
        layer.ReadBounds("bias", op.ParameterName(name, "bias_ih"), bias);
        int gates = layer.ClassName switch { "LSTM" => 4, "GRU" => 3, _ => 1 };
        List<string> from = [KerasLayer.Input(0), .. isMasked ? [layer.Mask(0)!] : Array.Empty<string>()];
        from.AddRange(Enumerable.Range(1, layer.Inputs.Count - 1).Select(KerasLayer.Input));
        return layer.Emit(new KerasNode(name, op)
        {
            From = from,
            Initializers = initializers,
            Resolve = inputs => (op, new Dictionary<string, Initializer>(initializers)
            {
                // Keras stores the gates side by side, and takes fans and orthogonality of the whole.
                ["weight_ih"] = KerasFans.Keep(kernel, new Fans(Features(inputs), gates * units), new Fans(Features(inputs), units)),
                ["weight_hh"] = KerasFans.Keep(Whole(recurrent, gates, units), new Fans(units, gates * units), new Fans(units, units)),
            }),
        });
    }

    private static int Features(IReadOnlyList<TensorType> inputs) => inputs[0].Shape.Rank > 0 ? inputs[0].Shape[^1].Size : 1;

    /// <summary>
    /// One gate's block of a matrix (units, gates·units) with orthonormal rows: its elements are all but normal, with a
    /// variance of 1/(gates·units), and its own rows are not orthonormal.
    /// </summary>
    private static Initializer Whole(Initializer recurrent, int gates, int units) =>
        recurrent is Orthogonal orthogonal && gates > 1 ? new NormalInitializer(0, orthogonal.Gain / Math.Sqrt(gates * units)) : recurrent;

    private static Lstm ReadLstm(KerasLayer layer, int units, bool bias, bool isReversed, bool isMasked)
    {
        RequireGates(layer);
        return new Lstm(units, bias, RecurrentBias: false, isReversed, isMasked);
    }

    private static Gru ReadGru(KerasLayer layer, int units, bool bias, bool isReversed, bool isMasked)
    {
        RequireGates(layer);
        // Version 1's default was false, and a file of that time does not have the key.
        bool resetAfter = layer.Config.Flag("reset_after", false);
        return new Gru(units, resetAfter, bias, RecurrentBias: resetAfter, isReversed, isMasked);
    }

    private static Dictionary<string, Initializer> ReadBias(KerasLayer layer, bool hasBias, RecurrentLayer op)
    {
        Initializer start = KerasInitializers.Read(layer.Config, "bias_initializer") ?? ConstantInitializer.Zeros;
        bool keepsAtFirst = op is Lstm && layer.Config.Flag("unit_forget_bias", true);
        if (!hasBias)
        {
            return [];
        }
        if (keepsAtFirst && start != ConstantInitializer.Zeros)
        {
            throw layer.Config.KeyError("bias_initializer", "another start than zeros together with unit_forget_bias is not supported", "zeros, or unit_forget_bias false");
        }
        Dictionary<string, Initializer> initializers = new() { ["bias_ih"] = keepsAtFirst ? new ForgetGateBias() : start };
        if (op.RecurrentBias)
        {
            initializers["bias_hh"] = start;
        }
        return initializers;
    }

    private static RecurrentActivation Activation(KerasLayer layer) => KerasActivations.Read(layer.Config, "activation") switch
    {
        Tanh => RecurrentActivation.Tanh,
        Relu => RecurrentActivation.Relu,
        null when !layer.Config.Has("activation") => RecurrentActivation.Tanh,
        { } other => throw layer.Config.KeyError("activation", $"{other.Kind} in a recurrent layer is not supported", "tanh, relu"),
        null => throw layer.Config.KeyError("activation", "linear in a recurrent layer is not supported", "tanh, relu"),
    };

    private static void RequireGates(KerasLayer layer)
    {
        foreach ((string key, Type type, string name) in (ReadOnlySpan<(string, Type, string)>)[("activation", typeof(Tanh), "tanh"), ("recurrent_activation", typeof(Sigmoid), "sigmoid")])
        {
            if (layer.Config.Has(key) && KerasActivations.Read(layer.Config, key)?.GetType() != type)
            {
                throw layer.Config.KeyError(key, $"the gates of {layer.ClassName} are computed with {name} only", name);
            }
        }
    }

    private static void Refuse(KerasLayer layer)
    {
        layer.Config.Ignore("unroll", "implementation", "time_major", "zero_output_for_mask", "use_cudnn", "return_runtime", "input_length");
        layer.RefuseFlag("stateful", "a state that goes from batch to batch");
        foreach (string key in (ReadOnlySpan<string>)["dropout", "recurrent_dropout"])
        {
            if (layer.Config.Number(key, 0) != 0)
            {
                throw layer.Config.KeyError(key, "dropout within a recurrent layer is not supported", "0, and a Dropout layer in front");
            }
        }
        foreach (string parameter in (ReadOnlySpan<string>)["kernel", "recurrent", "bias"])
        {
            layer.RefuseIfSet(parameter + "_constraint", "a constraint on the gates' weights");
        }
    }
}
