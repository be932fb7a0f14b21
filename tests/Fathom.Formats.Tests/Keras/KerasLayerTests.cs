using Fathom.Formats.Keras;
using Fathom.Formats.ModelFile;
using Fathom.Formats.Tests.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing.Keras;
using Fathom.Training;
using Fathom.Training.Regularization;

namespace Fathom.Formats.Tests.Keras;

/// <summary>Each class of layers, by a sample, and what is particular about it.</summary>
public sealed class KerasLayerTests
{
    private const string Sequence = "[null, 5, 3]";

    [Fact]
    public void EveryClassHasASample() =>
        Assert.Equal(KerasLayerClasses.Names.Where(name => name != "InputLayer").Order(), KerasSample.Layers.Select(sample => sample.ClassName).Distinct().Order());

    [Xunit.Theory]
    [MemberData(nameof(Samples))]
    public void ASampleIsReadWithoutWarningAndWrittenBack(string className)
    {
        foreach (KerasSample sample in KerasSample.Layers.Where(sample => sample.ClassName == className))
        {
            ModelReadResult result = KerasReader.Read("m.json", sample.Model(", \"compile_config\": {\"optimizer\": \"adam\", \"loss\": \"mse\"}"));
            Assert.Empty(result.Warnings);
            ModelDefinition back = ModelFileReader.Read("m.yaml", ModelFileWriter.Write(result.Model));
            Assert.Equal(GraphText.Of(result.Model.Graph), GraphText.Of(back.Graph));
        }
    }

    public static TheoryData<string> Samples => [.. KerasSample.Layers.Select(sample => sample.ClassName).Distinct().Where(name => name != "Identity")];

    [Xunit.Theory]
    [InlineData("Conv1D", "(N, 5, 4)")]
    [InlineData("Conv2D", "(N, 8, 8, 4)")]
    [InlineData("DepthwiseConv2D", "(N, 6, 6, 4)")]
    [InlineData("SeparableConv2D", "(N, 8, 8, 4)")]
    [InlineData("AveragePooling2D", "(N, 4, 4, 2)")]
    [InlineData("GlobalMaxPooling2D", "(N, 2, 1, 1)")]
    [InlineData("GlobalAveragePooling1D", "(N, 2)")]
    [InlineData("ZeroPadding1D", "(N, 8, 3)")]
    [InlineData("ZeroPadding2D", "(N, 11, 11, 2)")]
    [InlineData("Cropping1D", "(N, 3, 3)")]
    [InlineData("Cropping2D", "(N, 5, 5, 2)")]
    [InlineData("Permute", "(N, 2, 4)")]
    [InlineData("RepeatVector", "(N, 3, 8)")]
    [InlineData("Embedding", "(N, 5, 8)")]
    [InlineData("TimeDistributed", "(N, 5, 4)")]
    [InlineData("SimpleRNN", "(N, 5, 4)")]
    [InlineData("LSTM", "(N, 4)")]
    [InlineData("Bidirectional", "(N, 5, 8)")]
    [InlineData("MultiHeadAttention", "(N, 5, 8)")]
    public void ShapesAreThoseOfKeras(string className, string shape) =>
        Assert.Equal(shape, Read(KerasSample.Layers.First(sample => sample.ClassName == className)).Output.Shape.ToString());

    [Fact]
    public void GatesStartWithTheVarianceThatKerasGives()
    {
        Graph graph = Read(new KerasSample("LSTM", "\"units\": 16", Sequence));
        // Keras: limit √(6/(in + 4·units)) over the whole kernel, so a variance of 2/(in + 4·units); orthonormal rows of length 4·units.
        Assert.Equal(2.0 / (3 + 64), VarianceOf(graph, "layer.weight_ih_l0", new Fans(3, 16)), 1e-12);
        Assert.Equal(1.0 / 64, VarianceOf(graph, "layer.weight_hh_l0", new Fans(16, 16)), 1e-12);
        Assert.Equal(new ForgetGateBias(), ((Parameter)graph["layer.bias_ih_l0"].Op).Initializer);
        Graph simple = Read(new KerasSample("SimpleRNN", "\"units\": 16", Sequence));
        Assert.Equal(new Orthogonal(), ((Parameter)simple["layer.weight_hh_l0"].Op).Initializer);
        Assert.Equal(2.0 / (3 + 16), VarianceOf(simple, "layer.weight_ih_l0", new Fans(3, 16)), 1e-12);
    }

    [Fact]
    public void DepthwiseKernelsAndHeadsStartWithTheVarianceThatKerasGives()
    {
        Graph depthwise = Read(KerasSample.Layers.First(sample => sample.ClassName == "DepthwiseConv2D"));
        // Keras' kernel is (3, 3, 2, 2): fans 18 and 18. Fathom's is (4, 1, 3, 3): fans 9 and 36.
        Assert.Equal(2.0 / 36, VarianceOf(depthwise, "layer.weight", new Fans(9, 36, 9)), 1e-12);
        Graph attention = Read(KerasSample.Layers.First(sample => sample.ClassName == "MultiHeadAttention"));
        // Keras' kernels are (8, 2, 4) with fans 16 and 32, and (2, 4, 8) with fans 8 and 16.
        Assert.Equal(2.0 / 48, VarianceOf(attention, "layer.in_proj_weight", new Fans(8, 8)), 1e-12);
        Assert.Equal(2.0 / 24, VarianceOf(attention, "layer.out_proj.weight", new Fans(8, 8)), 1e-12);
    }

    [Fact]
    public void RecurrentLayersFollowTheirSettings()
    {
        Assert.Equal(new Gru(4, ResetAfter: false, RecurrentBias: false, Reverse: true), Op("GRU", "\"units\": 4, \"reset_after\": false, \"go_backwards\": true", Sequence));
        Assert.Equal(new Gru(4), Op("GRU", "\"units\": 4, \"reset_after\": true", Sequence));
        Assert.Equal(new Rnn(4, RecurrentActivation.Relu, Bias: false, RecurrentBias: false), Op("SimpleRNN", "\"units\": 4, \"activation\": \"relu\", \"use_bias\": false", Sequence));
        Graph both = Read(KerasSample.Layers.First(sample => sample.ClassName == "Bidirectional"));
        Assert.Equal([false, true], both.Nodes.Select(node => node.Op).OfType<Lstm>().Select(op => op.Reverse));
    }

    [Fact]
    public void AMaskGoesFromItsSourceToTheLayersThatHeedIt()
    {
        string[] layers =
        [
            KerasSample.Entry("e", "Embedding", "\"input_dim\": 20, \"output_dim\": 8, \"mask_zero\": true", ["input_0"]),
            KerasSample.Entry("d", "Dropout", "\"rate\": 0.5", ["e"]),
            KerasSample.Entry("a", "LSTM", "\"units\": 4, \"return_sequences\": true", ["d"]),
            KerasSample.Entry("b", "GRU", "\"units\": 4", ["a"]),
        ];
        Graph graph = KerasReader.Read("m.json", KerasSample.Functional(["[null, 5]"], layers, "b")).Model.Graph;
        Assert.Equal(ElementKind.Index, graph["input_0"].Outputs[0].Kind);
        Assert.IsType<PaddingMask>(graph["e_mask"].Op);
        Assert.Equal("e_mask", graph["a"].Inputs[1].Node.Name);
        Assert.Equal("e_mask", graph["b"].Inputs[1].Node.Name);
    }

    [Fact]
    public void AttentionReadsQueryValueAndKey()
    {
        string Layer(string arguments, params string[] from) => KerasSample.Functional(["[null, 5, 8]", "[null, 7, 6]"],
            [KerasSample.Entry("m", "MultiHeadAttention", "\"num_heads\": 2, \"key_dim\": 4", from, arguments)], "m");
        Node self = KerasReader.Read("m.json", Layer("\"use_causal_mask\": true", "input_0", "input_0")).Model.Graph["m"];
        Assert.Equal(new MultiHeadAttention(2, HeadUnits: 4, Causal: true), self.Op);
        Assert.Single(self.DataInputs);
        Node cross = KerasReader.Read("m.json", Layer("", "input_0", "input_1")).Model.Graph["m"];
        Assert.Equal(new MultiHeadAttention(2, 6, 6, 4), cross.Op);
        Assert.Equal(["input_0", "input_1"], cross.DataInputs.Select(input => input.Node.Name));
        Node named = KerasReader.Read("m.json", Layer($"\"key\": {KerasSample.Tensor("input_0")}, \"value\": {KerasSample.Tensor("input_0")}", "input_0")).Model.Graph["m"];
        Assert.Single(named.DataInputs);
    }

    [Fact]
    public void ALayerCalledTwiceSharesItsWeights()
    {
        string call(string layer) => $"{{\"args\": [{KerasSample.Tensor(layer)}], \"kwargs\": {{}}}}";
        string shared = "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 4, \"activation\": \"relu\"}, \"inbound_nodes\": [" + call("input_0") + ", " + call("input_1") + "]}";
        string add = "{\"class_name\": \"Add\", \"config\": {\"name\": \"add\"}, \"inbound_nodes\": [[[\"d\", 0, 0, {}], [\"d\", 1, 0, {}]]]}";
        ModelDefinition model = KerasReader.Read("m.json", KerasSample.Functional(["[null, 8]", "[null, 8]"], [shared, add], "add")).Model;
        Assert.Equal(["d.weight", "d.bias"], model.Graph.Parameters.Select(node => node.Name));
        Assert.Equal(["d_activation", "d.2_activation"], model.Graph["add"].Inputs.Select(value => value.Node.Name));
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Graph));
    }

    [Fact]
    public void StatesGoFromEncoderToDecoder()
    {
        string[] layers =
        [
            KerasSample.Entry("encoder", "LSTM", "\"units\": 4, \"return_state\": true", ["input_0"]),
            "{\"class_name\": \"LSTM\", \"config\": {\"name\": \"decoder\", \"units\": 4, \"return_sequences\": true}, \"inbound_nodes\": [{\"args\": [" + KerasSample.Tensor("input_1") + "], \"kwargs\": "
                + "{\"initial_state\": [{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"encoder\", 0, 1]}}, {\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"encoder\", 0, 2]}}]}}]}",
        ];
        Graph graph = KerasReader.Read("m.json", KerasSample.Functional([Sequence, "[null, 6, 2]"], layers, "decoder")).Model.Graph;
        Assert.Equal([("input_1", 0), ("encoder", 1), ("encoder", 2)], graph["decoder"].DataInputs.Select(value => (value.Node.Name, value.Index)));
    }

    [Fact]
    public void PenaltiesAndBoundsBecomePartsOfThePlan()
    {
        string l2 = "\"kernel_regularizer\": {\"class_name\": \"L2\", \"config\": {\"l2\": 0.01}}";
        string[] layers =
        [
            KerasSample.Entry("a", "Dense", "\"units\": 4, \"bias_regularizer\": \"l1\", " + l2, ["input_0"]),
            KerasSample.Entry("b", "Dense", "\"units\": 4, \"kernel_constraint\": {\"class_name\": \"MaxNorm\", \"config\": {\"max_value\": 3, \"axis\": 0}}, " + l2, ["a"]),
            KerasSample.Entry("c", "Dense", "\"units\": 4, \"use_bias\": false, \"kernel_regularizer\": {\"class_name\": \"L1L2\", \"config\": {\"l1\": 0.001, \"l2\": 0.002}}, \"bias_regularizer\": \"l2\"", ["b"]),
        ];
        ModelDefinition model = KerasReader.Read("m.json", KerasSample.Functional(["[null, 8]"], layers, "c")).Model;
        Regularizer[] expected = [new L2(0.01, ["a.weight", "b.weight"]), new L1(0.01, ["a.bias"]), new MaxNorm(3, ["b.weight"]), new L1(0.001, ["c.weight"]), new L2(0.002, ["c.weight"])];
        Assert.Equal(expected, model.Plan.Regularization);
        Assert.Equal(model.Plan, ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Plan);
    }

    [Fact]
    public void OneOfGammaAndBetaIsHeldStillWhereKerasHasOnlyTheOther()
    {
        Graph graph = Read(new KerasSample("LayerNormalization", "\"axis\": -1, \"center\": false", "[null, 8]"));
        Assert.Equal([("layer.weight", true), ("layer.bias", false)], graph.Parameters.Select(node => (node.Name, ((Parameter)node.Op).Trainable)));
        Assert.Equal(new LayerNorm([4, 3], 1e-3), Op("LayerNormalization", "\"axis\": [1, 2]", "[null, 4, 3]"));
    }

    [Fact]
    public void ChannelsMayBeLastOrFirst()
    {
        const string image = "[null, 8, 8, 2]";
        Assert.Equal(new BatchNorm(0.01, 1e-3, ChannelsLast: true), Op("BatchNormalization", "\"axis\": [3]", image));
        Assert.Equal(new BatchNorm(0.01, 1e-3), Op("BatchNormalization", "\"axis\": 1", image));
        Assert.Equal(new GroupNorm(2, 1e-3, ChannelsLast: true), Op("GroupNormalization", "\"groups\": -1", image));
        Assert.Equal(new PRelu(true, 0, ChannelsLast: true), Op("PReLU", "\"shared_axes\": [1, 2]", image));
        Assert.Equal(new PRelu(true, 0), Op("PReLU", "\"shared_axes\": [2, 3]", image));
        Assert.Equal(new PRelu(false, 0), Op("PReLU", "\"shared_axes\": [1]", "[null, 8]"));
        Assert.Equal(new Conv2d(4, (3, 5), (2, 1), Padding.Same), Op("Conv2D", "\"filters\": 4, \"kernel_size\": [3, 5], \"strides\": [2, 1], \"padding\": \"same\", \"data_format\": \"channels_first\"", image));
        Assert.Equal(new Conv1d(4, 3, ChannelsLast: true), Op("Conv1D", "\"filters\": 4, \"kernel_size\": 3", "[null, 8, 2]"));
        // Keras moves the channels to the end before it flattens.
        Graph flat = Read(new KerasSample("Flatten", "\"data_format\": \"channels_first\"", "[null, 2, 4, 5]"));
        Assert.Equal("(N, 4, 5, 2)", flat["layer_channels_last"].Outputs[0].Shape.ToString());
    }

    [Fact]
    public void PlainAttentionTakesBackTheDivisionByTheRootOfTheWidth()
    {
        Graph graph = Read(new KerasSample("Attention", "\"use_scale\": true, \"score_mode\": \"dot\"", "[null, 5, 16]", "[null, 7, 16]"));
        Assert.Equal(new Rescaling(4), graph["layer_query"].Op);
        Assert.Equal(["layer_scale", "input_1", "input_1"], graph["layer"].Inputs.Select(value => value.Node.Name));
    }

    [Xunit.Theory]
    [InlineData("LSTM", "\"units\": 4, \"dropout\": 0.2", Sequence, "key 'dropout': dropout within a recurrent layer is not supported; allowed: 0, and a Dropout layer in front")]
    [InlineData("LSTM", "\"units\": 4, \"stateful\": true", Sequence, "key 'stateful': a state that goes from batch to batch is not supported; allowed: false")]
    [InlineData("LSTM", "\"units\": 4, \"activation\": \"relu\"", Sequence, "key 'activation': the gates of LSTM are computed with tanh only; allowed: tanh")]
    [InlineData("GRU", "\"units\": 4, \"recurrent_activation\": \"tanh\"", Sequence, "key 'recurrent_activation': the gates of GRU are computed with sigmoid only; allowed: sigmoid")]
    [InlineData("SimpleRNN", "\"units\": 4, \"activation\": \"elu\"", Sequence, "key 'activation': elu in a recurrent layer is not supported; allowed: tanh, relu")]
    [InlineData("GRU", "\"units\": 4, \"go_backwards\": true, \"return_sequences\": true", Sequence, "key 'go_backwards': a sequence that is returned from its end to its beginning is not supported; allowed: false, or return_sequences false, or Bidirectional")]
    [InlineData("Bidirectional", "\"merge_mode\": \"max\", \"layer\": {\"class_name\": \"LSTM\", \"config\": {\"units\": 4}}", Sequence, "key 'merge_mode': 'max' is not supported; allowed: concat, sum, mul, ave")]
    [InlineData("Bidirectional", "\"layer\": {\"class_name\": \"Dense\", \"config\": {\"units\": 4}}", Sequence, "key 'layer': 'Dense' in both directions is not supported; allowed: SimpleRNN, LSTM, GRU")]
    [InlineData("Conv2D", "\"filters\": 4, \"kernel_size\": [3, 3], \"padding\": \"causal\"", "[null, 8, 8, 2]", "key 'padding': 'causal' is not supported; allowed: valid, same")]
    [InlineData("Conv2D", "\"filters\": 4, \"kernel_size\": [3]", "[null, 8, 8, 2]", "key 'kernel_size': a list of 1 is given; allowed: a whole number, or a list of two")]
    [InlineData("MaxPooling2D", "\"data_format\": \"first\"", "[null, 8, 8, 2]", "key 'data_format': 'first' is no order of the axes; allowed: channels_last, channels_first")]
    [InlineData("ZeroPadding2D", "\"padding\": [1, -1]", "[null, 8, 8, 2]", "key 'padding': [1, -1] cannot be read; allowed: a whole number of 0 or more, [rows, columns], or [[above, below], [left, right]]")]
    [InlineData("ZeroPadding2D", "\"padding\": 1", "[null, 8, 8]", "an input of rank 4 is expected; (N, 8, 8) is given")]
    [InlineData("Cropping1D", "\"cropping\": [2, 3]", "[null, 5, 3]", "nothing is left of axis 1 of (N, 5, 3)")]
    [InlineData("MultiHeadAttention", "\"num_heads\": 2, \"key_dim\": 4", "[null, 5, 8]", "key 'inbound_nodes': the layer is called without a value; allowed: query, value, and key if it is another")]
    [InlineData("MultiHeadAttention", "\"num_heads\": 2, \"key_dim\": 4, \"value_dim\": 3", "[null, 5, 8]", "key 'value_dim': 3 is not supported; allowed: 4, as key_dim")]
    [InlineData("LayerNormalization", "\"axis\": 1", "[null, 4, 3]", "key 'axis': [1] of an input of shape (N, 4, 3) is not supported; allowed: the last axes")]
    [InlineData("TimeDistributed", "\"layer\": {\"class_name\": \"Flatten\", \"config\": {}}", Sequence, "'Flatten' within TimeDistributed is not supported; allowed: Dense, Activation, ReLU, LeakyReLU, ELU, Dropout, LayerNormalization, RMSNormalization")]
    [InlineData("Dense", "\"units\": 4, \"kernel_constraint\": {\"class_name\": \"NonNeg\", \"config\": {}}", "[null, 8]", "key 'kernel_constraint': 'NonNeg' is not supported; allowed: MaxNorm")]
    [InlineData("Conv2D", "\"filters\": 4, \"kernel_size\": 3, \"kernel_constraint\": {\"class_name\": \"MaxNorm\", \"config\": {\"max_value\": 2, \"axis\": 0}}", "[null, 8, 8, 2]", "key 'kernel_constraint': a norm over the axes [0] is not supported; allowed: axis [0,1,2], which is one norm for each output unit")]
    [InlineData("Dense", "\"units\": 4, \"kernel_regularizer\": {\"class_name\": \"OrthogonalRegularizer\", \"config\": {}}", "[null, 8]", "key 'kernel_regularizer': 'OrthogonalRegularizer' is not supported; allowed: L1, L2, L1L2")]
    [InlineData("PReLU", "\"shared_axes\": [1]", "[null, 8, 8, 2]", "key 'shared_axes': slopes of their own along 2 axes of (N, 8, 8, 2) are not supported; allowed: a list of all axes but the channels', such as [1, 2]")]
    [InlineData("Normalization", "\"axis\": -1, \"mean\": null, \"variance\": null", "[null, 8]", "its mean and variance are weights, which are not read; allowed: a mean and a variance in the config, or 'standardize: true' with the data")]
    [InlineData("BatchNormalization", "\"axis\": 2", "[null, 8, 8, 2]", "key 'axis': 2 of an input of shape (N, 8, 8, 2) is not supported; allowed: the axis after the batch, 1, or the last, -1")]
    [InlineData("Convolution2D", "", "[null, 8]", "layers of the class 'Convolution2D' are not supported")]
    public void WhatFathomCannotFollowIsOneClearLine(string className, string config, string input, string message)
    {
        string actual = Assert.Throws<ModelFormatException>(() => Read(new KerasSample(className, config, input))).Message;
        Assert.StartsWith($"m.json: layer 'layer' ({className}): {message}", actual, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', actual);
    }

    private static Graph Read(KerasSample sample) => KerasReader.Read("m.json", sample.Model()).Model.Graph;

    private static Op Op(string className, string config, string input) => Read(new KerasSample(className, config, input))["layer"].Op;

    private static double VarianceOf(Graph graph, string parameter, Fans fans) => ((Parameter)graph[parameter].Op).Initializer.Variance(fans);
}
