namespace Fathom.Testing.Keras;

/// <summary>A layer as Keras 3 writes it, in a Functional model of its own.</summary>
/// <param name="ClassName">The layer's class.</param>
/// <param name="Config">Its config without the name, as JSON without the braces.</param>
/// <param name="Inputs">Shapes of what it reads, such as <c>[null, 8]</c>.</param>
public sealed record KerasSample(string ClassName, string Config, params IReadOnlyList<string> Inputs)
{
    /// <summary>The name of the layer in the model.</summary>
    public const string Name = "layer";

    /// <summary>Arguments of the call by name, as JSON without the braces.</summary>
    public string Arguments { get; init; } = "";

    /// <summary>One or more for each class that has parameters or settings of interest, written down by the documentation of Keras 2 and 3.</summary>
    public static IReadOnlyList<KerasSample> Layers { get; } =
    [
        new("Dense", "\"units\": 4, \"activation\": \"relu\"", "[null, 8]"),
        new("Activation", "\"activation\": \"tanh\"", "[null, 8]"),
        new("ReLU", "\"max_value\": null, \"negative_slope\": 0.0, \"threshold\": 0.0", "[null, 8]"),
        new("LeakyReLU", "\"negative_slope\": 0.3", "[null, 8]"),
        new("ELU", "\"alpha\": 1.0", "[null, 8]"),
        new("Softmax", "\"axis\": -1", "[null, 8]"),
        new("PReLU", "\"shared_axes\": null", "[null, 8]"),
        new("Embedding", "\"input_dim\": 20, \"output_dim\": 8, \"embeddings_initializer\": \"uniform\", \"mask_zero\": false", "[null, 5]"),
        new("Masking", "\"mask_value\": 0.0", "[null, 5, 3]"),
        new("TimeDistributed", "\"layer\": {\"class_name\": \"Dense\", \"config\": {\"name\": \"inner\", \"units\": 4}}", "[null, 5, 3]"),
        new("Dropout", "\"rate\": 0.5, \"seed\": null, \"noise_shape\": null", "[null, 8]"),
        new("GaussianNoise", "\"stddev\": 0.1, \"seed\": null", "[null, 8]"),
        new("AlphaDropout", "\"rate\": 0.05, \"seed\": null, \"noise_shape\": null", "[null, 8]"),
        new("SpatialDropout1D", "\"rate\": 0.2, \"seed\": null, \"noise_shape\": null", "[null, 5, 3]"),
        new("SpatialDropout2D", "\"rate\": 0.2, \"seed\": null, \"noise_shape\": null, \"data_format\": \"channels_last\"", "[null, 8, 8, 2]"),
        new("ZeroPadding1D", "\"padding\": [1, 2]", "[null, 5, 3]"),
        new("ZeroPadding2D", "\"padding\": [[1, 2], [3, 0]], \"data_format\": \"channels_last\"", "[null, 8, 8, 2]"),
        new("ZeroPadding2D", "\"padding\": [0, 1], \"data_format\": \"channels_first\"", "[null, 2, 8, 8]"),
        new("Cropping1D", "\"cropping\": [1, 1]", "[null, 5, 3]"),
        new("Cropping2D", "\"cropping\": [[1, 2], [0, 3]], \"data_format\": \"channels_last\"", "[null, 8, 8, 2]"),
        new("GaussianDropout", "\"rate\": 0.5, \"seed\": null", "[null, 8]"),
        new("Rescaling", "\"scale\": 0.00392156862745098, \"offset\": 0.0", "[null, 8]"),
        new("Normalization", "\"axis\": -1, \"invert\": false, \"mean\": 2.0, \"variance\": 4.0", "[null, 8]"),
        new("Flatten", "\"data_format\": \"channels_last\"", "[null, 4, 4, 2]"),
        new("Reshape", "\"target_shape\": [4, 2]", "[null, 8]"),
        new("Permute", "\"dims\": [2, 1]", "[null, 4, 2]"),
        new("RepeatVector", "\"n\": 3", "[null, 8]"),
        new("Add", "", "[null, 8]", "[null, 8]"),
        new("Subtract", "", "[null, 8]", "[null, 8]"),
        new("Average", "", "[null, 8]", "[null, 8]"),
        new("Maximum", "", "[null, 8]", "[null, 8]"),
        new("Minimum", "", "[null, 8]", "[null, 8]"),
        new("Multiply", "", "[null, 8]", "[null, 8]"),
        new("Concatenate", "\"axis\": -1", "[null, 8]", "[null, 4]"),
        new("Identity", "", "[null, 8]"),
        new("BatchNormalization", "\"axis\": -1, \"momentum\": 0.99, \"epsilon\": 0.001, \"center\": true, \"scale\": true", "[null, 8]"),
        new("LayerNormalization", "\"axis\": [1], \"epsilon\": 0.001, \"center\": true, \"scale\": true, \"rms_scaling\": false", "[null, 8]"),
        new("RMSNormalization", "\"axis\": [-1], \"epsilon\": 1e-06", "[null, 8]"),
        new("GroupNormalization", "\"groups\": 2, \"axis\": -1, \"epsilon\": 0.001, \"center\": true, \"scale\": true", "[null, 8]"),
        new("Conv1D", "\"filters\": 4, \"kernel_size\": [3], \"strides\": [2], \"padding\": \"same\", \"data_format\": \"channels_last\", \"dilation_rate\": [1], \"groups\": 1", "[null, 9, 2]"),
        new("Conv2D", "\"filters\": 4, \"kernel_size\": [3, 3], \"strides\": [1, 1], \"padding\": \"same\", \"data_format\": \"channels_last\", \"dilation_rate\": [1, 1], \"groups\": 1", "[null, 8, 8, 2]"),
        new("DepthwiseConv2D", "\"kernel_size\": [3, 3], \"strides\": [1, 1], \"padding\": \"valid\", \"depth_multiplier\": 2, \"depthwise_initializer\": \"glorot_uniform\"", "[null, 8, 8, 2]"),
        new("SeparableConv2D", "\"filters\": 4, \"kernel_size\": [3, 3], \"strides\": [1, 1], \"padding\": \"same\", \"depth_multiplier\": 1", "[null, 8, 8, 2]"),
        new("MaxPooling1D", "\"pool_size\": [2], \"strides\": [2], \"padding\": \"valid\", \"data_format\": \"channels_last\"", "[null, 8, 2]"),
        new("MaxPooling2D", "\"pool_size\": [2, 2], \"strides\": [2, 2], \"padding\": \"valid\", \"data_format\": \"channels_last\"", "[null, 8, 8, 2]"),
        new("AveragePooling1D", "\"pool_size\": 2, \"strides\": null, \"padding\": \"valid\"", "[null, 8, 2]"),
        new("AveragePooling2D", "\"pool_size\": [3, 3], \"strides\": [2, 2], \"padding\": \"same\"", "[null, 8, 8, 2]"),
        new("GlobalAveragePooling1D", "\"keepdims\": false", "[null, 8, 2]"),
        new("GlobalAveragePooling2D", "\"data_format\": \"channels_last\", \"keepdims\": false", "[null, 8, 8, 2]"),
        new("GlobalMaxPooling1D", "\"keepdims\": false", "[null, 8, 2]"),
        new("GlobalMaxPooling2D", "\"data_format\": \"channels_first\", \"keepdims\": true", "[null, 2, 8, 8]"),
        new("SimpleRNN", "\"units\": 4, \"activation\": \"tanh\", \"return_sequences\": true", "[null, 5, 3]"),
        new("LSTM", "\"units\": 4, \"activation\": \"tanh\", \"recurrent_activation\": \"sigmoid\", \"unit_forget_bias\": true, \"return_sequences\": false, \"go_backwards\": false", "[null, 5, 3]"),
        new("GRU", "\"units\": 4, \"reset_after\": true, \"return_sequences\": true", "[null, 5, 3]"),
        new("Bidirectional", "\"merge_mode\": \"concat\", \"layer\": {\"class_name\": \"LSTM\", \"config\": {\"name\": \"inner\", \"units\": 4, \"return_sequences\": true}}", "[null, 5, 3]"),
        new("Attention", "\"use_scale\": false, \"score_mode\": \"dot\", \"dropout\": 0.0", "[null, 5, 8]", "[null, 5, 8]"),
        new("MultiHeadAttention", "\"num_heads\": 2, \"key_dim\": 4, \"value_dim\": 4, \"dropout\": 0.0, \"use_bias\": true, \"output_shape\": null, \"attention_axes\": [1]", "[null, 5, 8]", "[null, 5, 8]"),
    ];

    /// <summary>Keras' learning rates that change, each with the config that it writes.</summary>
    public static IReadOnlyDictionary<string, string> Schedules { get; } = new Dictionary<string, string>
    {
        ["ExponentialDecay"] = "\"initial_learning_rate\": 0.1, \"decay_steps\": 100, \"decay_rate\": 0.5, \"staircase\": true",
        ["InverseTimeDecay"] = "\"initial_learning_rate\": 0.1, \"decay_steps\": 10, \"decay_rate\": 0.5, \"staircase\": false",
        ["PolynomialDecay"] = "\"initial_learning_rate\": 0.1, \"decay_steps\": 100, \"end_learning_rate\": 0.01, \"power\": 2.0, \"cycle\": false",
        ["PiecewiseConstantDecay"] = "\"boundaries\": [10, 20], \"values\": [0.1, 0.05, 0.01]",
        ["CosineDecay"] = "\"initial_learning_rate\": 0.0, \"decay_steps\": 100, \"alpha\": 0.1, \"warmup_target\": 0.1, \"warmup_steps\": 10",
        ["CosineDecayRestarts"] = "\"initial_learning_rate\": 0.1, \"first_decay_steps\": 10, \"t_mul\": 2.0, \"m_mul\": 0.9, \"alpha\": 0.1",
    };

    /// <summary>The model as Keras 3 writes it.</summary>
    /// <param name="more">Further keys of the model, such as compile_config, as JSON that begins with a comma.</param>
    public string Model(string more = "") => Functional([.. Inputs], [Entry(Name, ClassName, Config, [.. Enumerable.Range(0, Inputs.Count).Select(InputName)], Arguments)], Name, more);

    public static string InputName(int index) => FormattableString.Invariant($"input_{index}");

    /// <summary>A layer of a Functional model.</summary>
    public static string Entry(string name, string className, string config, IReadOnlyList<string> from, string arguments = "") =>
        $"{{\"class_name\": \"{className}\", \"name\": \"{name}\", \"config\": {{\"name\": \"{name}\", \"trainable\": true, \"dtype\": \"float32\"{(config.Length > 0 ? ", " : "")}{config}}}, "
        + $"\"inbound_nodes\": [{{\"args\": [{string.Join(", ", from.Select(Tensor))}], \"kwargs\": {{{arguments}}}}}]}}";

    /// <summary>What a call's arguments hold for a layer's result.</summary>
    public static string Tensor(string layer) => $"{{\"class_name\": \"__keras_tensor__\", \"config\": {{\"keras_history\": [\"{layer}\", 0, 0]}}}}";

    /// <summary>A Functional model on inputs named input_0, input_1, ….</summary>
    public static string Functional(IReadOnlyList<string> inputs, IReadOnlyList<string> layers, string output, string more = "")
    {
        IEnumerable<string> sources = inputs.Select((shape, index) =>
            $"{{\"class_name\": \"InputLayer\", \"config\": {{\"name\": \"{InputName(index)}\", \"batch_shape\": {shape}}}, \"inbound_nodes\": []}}");
        return $"{{\"class_name\": \"Functional\", \"config\": {{\"name\": \"sample\", \"layers\": [{string.Join(", ", [.. sources, .. layers])}], \"output_layers\": [[\"{output}\", 0, 0]]}}{more}}}";
    }
}
