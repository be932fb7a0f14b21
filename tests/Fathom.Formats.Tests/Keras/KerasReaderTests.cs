using Fathom.Formats.Keras;
using Fathom.Formats.ModelFile;
using Fathom.Formats.Tests.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing.Keras;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.Keras;

public sealed class KerasReaderTests
{
    [Fact]
    public void SequentialOfKeras2()
    {
        ModelReadResult result = ReadData("keras2-sequential.json");
        GraphBuilder builder = new();
        Value x = builder.Input("flatten_input", new TensorType(Shape.OfSamples(28, 28, 1)));
        x = builder.Layer(new Flatten(), "flatten", [x]);
        x = builder.Layer(new Dense(128), "dense", [x]);
        x = builder.Layer(new Sigmoid(), "dense_activation", [x]);
        x = builder.Layer(new BatchNorm(0.01, 0.001), "bn", [x]);
        x = builder.Layer(new LeakyRelu(0.3), "leaky", [x]);
        x = builder.Layer(new Dropout(0.2), "dropout", [x]);
        x = builder.Layer(new Dense(10, false), "dense_1", [x], new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.HeNormal with { Distribution = WeightDistribution.TruncatedNormal } });
        x = builder.Layer(new Softmax(), "dense_1_activation", [x]);
        Assert.Equal(GraphText.Of(builder.Build(x)), GraphText.Of(result.Model.Graph));
        Assert.Equal(new TrainingPlan { Loss = new CrossEntropy(FromLogits: false), Optimizer = new KerasAdam(), BatchSize = 32, Epochs = 20 }, result.Model.Plan);
        Assert.Equal(
        [
            "keras2-sequential.json: the file does not say with which loss the model is trained (no compile_config with a loss); categorical cross-entropy on probabilities, since it ends in a softmax, is assumed",
            "keras2-sequential.json: the file does not say how the model is trained (no compile_config with an optimizer); Keras' Adam with a learning rate of 0.001 is assumed",
        ], result.Warnings);
    }

    [Fact]
    public void FunctionalOfKeras2()
    {
        Graph graph = ReadData("keras2-functional.json").Model.Graph;
        Assert.Equal(["a", "a_activation", "add", "concatenate", "out", "out_activation"], Layers(graph));
        Assert.Equal(["a_activation", "input_1"], graph["add"].Inputs.Select(value => value.Name));
        Assert.Equal(["add", "a_activation"], graph["concatenate"].Inputs.Select(value => value.Name));
        Assert.Equal(Shape.OfSamples(16), graph["concatenate"].Output.Shape);
        Assert.Equal(new BinaryCrossEntropy(FromLogits: false), ReadData("keras2-functional.json").Model.Plan.Loss);
    }

    [Fact]
    public void FunctionalOfKeras3()
    {
        ModelReadResult result = ReadData("keras3-functional.json");
        GraphBuilder builder = new();
        Value input = builder.Input("input_layer", new TensorType(Shape.OfSamples(8)));
        Value x = builder.Layer(new Dense(8), "dense", [input], new Dictionary<string, Initializer>
        {
            ["weight"] = new VarianceScaling(2, FanMode.Average, WeightDistribution.Normal),
            ["bias"] = new ConstantInitializer(0.1),
        });
        x = builder.Layer(new Relu(), "dense_activation", [x]);
        x = builder.Layer(new Add(), "add", [x, input]);
        x = builder.Layer(new Dropout(0.5), "dropout", [x]);
        x = builder.Layer(new Dense(3), "dense_1", [x]);
        x = builder.Layer(new LeakyRelu(0.1), "dense_1_activation", [x]);
        Assert.Equal(GraphText.Of(builder.Build(x)), GraphText.Of(result.Model.Graph));
        Assert.Empty(result.Warnings);
        Assert.Equal(new TrainingPlan
        {
            Loss = new CrossEntropy(FromLogits: true),
            Optimizer = new KerasAdam(0.001, 0.9, 0.95, 1e-7, 0.004),
            Clipping = new ClipByGlobalNorm(1.5),
            BatchSize = 32,
            Epochs = 20,
        }, result.Model.Plan);
    }

    [Fact]
    public void SequentialOfKeras3()
    {
        ModelReadResult result = ReadData("keras3-sequential.json");
        Graph graph = result.Model.Graph;
        Assert.Equal(["dense", "re_lu", "noise", "p_re_lu", "reshape", "flatten", "dense_1"], Layers(graph));
        Assert.Equal([new Relu6(), new PRelu(true, 0), new Reshape([2, -1])], new[] { "re_lu", "p_re_lu", "reshape" }.Select(name => graph[name].Op));
        Assert.Equal(new NormalInitializer(0, 0.01), ((Parameter)graph["dense.weight"].Op).Initializer);
        Assert.Equal(ConstantInitializer.Zeros, ((Parameter)graph["p_re_lu.weight"].Op).Initializer);
        Assert.Equal((new MeanSquaredError(), new KerasSgd()), (result.Model.Plan.Loss, result.Model.Plan.Optimizer));
        Assert.Empty(result.Warnings);
    }

    [Xunit.Theory]
    [InlineData("keras2-sequential.json")]
    [InlineData("keras2-functional.json")]
    [InlineData("keras3-sequential.json")]
    [InlineData("keras3-functional.json")]
    public void WhatIsReadCanBeWrittenAsAModelFile(string name)
    {
        ModelDefinition model = ReadData(name).Model;
        ModelDefinition back = ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model));
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(back.Graph));
        Assert.Equal(model.Plan, back.Plan);
    }

    [Xunit.Theory]
    [InlineData("\"relu\"", typeof(Relu))]
    [InlineData("\"swish\"", typeof(Silu))]
    [InlineData("\"gelu\"", typeof(Gelu))]
    [InlineData("{\"class_name\": \"function\", \"config\": \"tanh\", \"module\": \"builtins\"}", typeof(Tanh))]
    [InlineData("{\"class_name\": \"ELU\", \"config\": {\"alpha\": 0.5}}", typeof(Elu))]
    public void ActivationsInsideALayer(string activation, Type op) => Assert.IsType(op, Dense($"\"activation\": {activation}").Output.Node.Op);

    /// <summary>Keras 3 changed the slope; its layers describe their type of numbers as an object.</summary>
    [Xunit.Theory]
    [InlineData("\"float32\"", 0.2)]
    [InlineData("{\"module\": \"keras\", \"class_name\": \"DTypePolicy\", \"config\": {\"name\": \"float32\"}, \"registered_name\": null}", 1.0 / 6)]
    public void HardSigmoidByVersion(string type, double slope) =>
        Assert.Equal(new HardSigmoid(slope), Dense($"\"activation\": \"hard_sigmoid\", \"dtype\": {type}").Output.Node.Op);

    [Xunit.Theory]
    [InlineData("\"glorot_normal\"", "xavier_truncated_normal")]
    [InlineData("\"glorot_uniform\"", "xavier_uniform")]
    [InlineData("\"he_uniform\"", "he_uniform")]
    [InlineData("\"LecunNormal\"", "lecun_truncated_normal")]
    [InlineData("\"orthogonal\"", "orthogonal")]
    [InlineData("{\"class_name\": \"TruncatedNormal\", \"config\": {}}", "truncated_normal")]
    [InlineData("{\"class_name\": \"RandomUniform\", \"config\": {\"minval\": -1, \"maxval\": 1}}", "uniform")]
    [InlineData("{\"class_name\": \"VarianceScaling\", \"config\": {}}", "variance_scaling")]
    public void InitializersByNameAndByObject(string initializer, string kind) =>
        Assert.Equal(kind, ((Parameter)Dense($"\"kernel_initializer\": {initializer}")["d.weight"].Op).Initializer.Kind);

    [Xunit.Theory]
    [InlineData("\"rmsprop\"", typeof(KerasRmsProp), 0.001)]
    [InlineData("{\"class_name\": \"Adagrad\", \"config\": {}}", typeof(KerasAdagrad), 0.001)]
    [InlineData("{\"class_name\": \"Custom>Nadam\", \"config\": {\"learning_rate\": 0.5}}", typeof(KerasNadam), 0.5)]
    [InlineData("{\"class_name\": \"Adamax\", \"config\": {}}", typeof(KerasAdamax), 0.001)]
    [InlineData("{\"class_name\": \"Adadelta\", \"config\": {\"lr\": 1.0}}", typeof(KerasAdadelta), 1)]
    [InlineData("{\"class_name\": \"Lion\", \"config\": {\"beta_2\": 0.95}}", typeof(KerasLion), 0.001)]
    public void OptimizersHaveTheDefaultsOfKeras(string optimizer, Type type, double learningRate)
    {
        Optimizer made = Compiled($"\"optimizer\": {optimizer}, \"loss\": \"mae\"").Optimizer;
        Assert.IsType(type, made);
        Assert.Equal(learningRate, made.LearningRate);
    }

    [Fact]
    public void ClippingIsTakenFromTheOptimizer()
    {
        Assert.Equal(new ClipByTensorNorm(0.5), Compiled("\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"clipnorm\": 0.5}}, \"loss\": \"mse\"").Clipping);
        Assert.Equal(new ClipByValue(2), Compiled("\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"clipvalue\": 2}}, \"loss\": \"mse\"").Clipping);
    }

    [Fact]
    public void LearningRatesMayChange()
    {
        TrainingPlan Plan(string schedule) => Compiled($"\"loss\": \"mae\", \"optimizer\": {{\"class_name\": \"SGD\", \"config\": {{\"learning_rate\": {{\"class_name\": \"{schedule}\", \"config\": {{{KerasSample.Schedules[schedule]}}}}}}}}}");
        Assert.All(KerasSample.Schedules.Keys, name => Assert.Equal(0.1, Plan(name).Optimizer.LearningRate));
        Assert.Equal(new KerasExponentialDecay(100, 0.5, true), Plan("ExponentialDecay").Schedule);
        Assert.Equal(new KerasInverseTimeDecay(10, 0.5), Plan("InverseTimeDecay").Schedule);
        Assert.Equal(new KerasPolynomialDecay(100, 0.01 / 0.1, 2), Plan("PolynomialDecay").Schedule);
        Assert.Equal(new KerasPiecewiseConstantDecay([10, 20], [1, 0.5, 0.01 / 0.1]), Plan("PiecewiseConstantDecay").Schedule);
        Assert.Equal(new KerasCosineDecay(100, 0.1, 10, 0), Plan("CosineDecay").Schedule);
        Assert.Equal(new KerasCosineDecayRestarts(10, 2, 0.9, 0.1), Plan("CosineDecayRestarts").Schedule);
    }

    [Fact]
    public void AFrozenLayerHasParametersThatAreNotTrained() =>
        Assert.All(Dense("\"trainable\": false").Parameters, node => Assert.False(((Parameter)node.Op).Trainable));

    [Xunit.Theory]
    [InlineData("\"units\": 0", "layer 'd' (Dense): key 'units': 0 is out of range; allowed: 1 or more")]
    [InlineData("\"units\": \"4\"", "layer 'd' (Dense): key 'units': '4' is not a whole number; allowed: a whole number of 1 or more")]
    [InlineData("\"units\": null", "layer 'd' (Dense): key 'units': the key is missing; allowed: a whole number")]
    [InlineData("\"activation\": \"rely\"", "layer 'd' (Dense): key 'activation': no such activation, nearest is 'relu': 'rely'; allowed: elu, gelu, hard_sigmoid, hard_tanh, leaky_relu, linear, log_softmax, mish, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, swish, tanh")]
    [InlineData("\"kernel_initializer\": \"glorot\"", "layer 'd' (Dense): key 'kernel_initializer': no such initializer: 'glorot'; allowed: Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform, Ones, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Zeros")]
    public void WrongDenseIsOneClearLine(string setting, string message) => AssertError("m.json: " + message, () => Dense(setting));

    [Xunit.Theory]
    [InlineData("\"class_name\": \"ConvLSTM2D\", \"config\": {\"name\": \"d\"}", "layer 'd' (ConvLSTM2D): layers of the class 'ConvLSTM2D' are not supported, nearest is 'Conv2D'; supported: Activation, Add, ")]
    [InlineData("\"class_name\": \"Conv2DTranspose\", \"config\": {\"name\": \"d\"}", "layer 'd' (Conv2DTranspose): layers of the class 'Conv2DTranspose' are not supported, nearest is 'Conv2D'; supported: Activation, Add, ")]
    [InlineData("\"class_name\": \"Dens\", \"config\": {\"name\": \"d\"}", "layer 'd' (Dens): layers of the class 'Dens' are not supported, nearest is 'Dense'; supported: Activation, Add, ")]
    [InlineData("\"class_name\": \"Dropout\", \"config\": {\"name\": \"d\", \"rate\": 1.0}", "layer 'd' (Dropout): key 'rate': 1 is out of range; allowed: 0 or more and less than 1")]
    [InlineData("\"class_name\": \"ReLU\", \"config\": {\"name\": \"d\", \"max_value\": 1.0, \"negative_slope\": 0.1}", "layer 'd' (ReLU): ReLU with max_value 1, negative_slope 0.1 and threshold 0 is not supported; allowed: threshold 0, and either max_value null or negative_slope 0")]
    [InlineData("\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"d\", \"axis\": 2}", "layer 'd' (BatchNormalization): key 'axis': 2 of an input of shape (N, 4) is not supported; allowed: the axis after the batch, 1, or the last, -1")]
    [InlineData("\"class_name\": \"Reshape\", \"config\": {\"name\": \"d\", \"target_shape\": [3]}", "layer 'd' (Reshape): d (reshape): ")]
    public void WrongLayerIsOneClearLine(string layer, string message)
    {
        string actual = Assert.Throws<ModelFormatException>(() => KerasReader.Read("m.json", Sequential("{" + layer + "}"))).Message;
        Assert.StartsWith("m.json: " + message, actual, StringComparison.Ordinal);
    }

    [Xunit.Theory]
    [InlineData("\"optimizer\": \"sdg\", \"loss\": \"mse\"", "compile_config: key 'optimizer': no such optimizer, nearest is 'SGD': 'sdg'; allowed: Adadelta, Adagrad, Adam, AdamW, Adamax, Lion, Nadam, RMSprop, SGD")]
    [InlineData("\"optimizer\": \"sgd\", \"loss\": \"poisson\"", "compile_config: key 'loss': no such loss: 'poisson'; allowed: binary_crossentropy, categorical_crossentropy, hinge, huber, kl_divergence, mae, mean_absolute_error, mean_squared_error, mse, sparse_categorical_crossentropy")]
    [InlineData("\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"learning_rate\": -1}}, \"loss\": \"mse\"", "optimizer 'SGD': key 'learning_rate': -1 is out of range; allowed: greater than 0")]
    [InlineData("\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"learning_rate\": {\"class_name\": \"Warm\", \"config\": {\"initial_learning_rate\": 1}}}}, \"loss\": \"mse\"", "optimizer 'SGD': key 'learning_rate': the schedule 'Warm' is not supported; allowed: a number greater than 0, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay")]
    [InlineData("\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"clipnorm\": 1, \"clipvalue\": 1}}, \"loss\": \"mse\"", "optimizer 'SGD': more than one of clipnorm, global_clipnorm and clipvalue is set; allowed: one of them")]
    [InlineData("\"optimizer\": \"sgd\", \"loss\": {\"class_name\": \"MeanSquaredError\", \"config\": {\"reduction\": \"sum\"}}", "compile_config, loss: key 'reduction': 'sum' is not supported; allowed: sum_over_batch_size, mean")]
    public void WrongCompileConfigIsOneClearLine(string settings, string message) => AssertError("m.json: " + message, () => Compiled(settings));

    [Fact]
    public void MissingLayersAndOpenShapesAreRefused()
    {
        const string dense = "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 8}, \"inbound_nodes\": ";
        AssertError("m.json: layer 'd' (Dense): it reads 'e', which is no layer of the model", () => Functional(dense + "[[[\"e\", 0, 0, {}]]]}"));
        AssertError("m.json: layer 'd' (Dense): the layers form a circle: d → d; a layer cannot feed itself", () => Functional(dense + "[[[\"d\", 0, 0, {}]]]}"));
        AssertError("m.json: layer 'd' (Dense): key 'inbound_nodes': the layer is called with 'training', which is not supported; allowed: a call with tensors only",
            () => Functional(dense + "[[[\"i\", 0, 0, {\"training\": true}]]]}"));
        AssertError("m.json: layer 'i' (InputLayer): key 'batch_shape': an extent other than the batch is open (null); allowed: whole numbers of 1 or more",
            () => KerasReader.Read("m.json", "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"i\", \"batch_shape\": [null, null, 3]}}]}}"));
        AssertError("m.json: the model does not say the shape of its input; build it before saving, as in model.build((None, 64)), or start it with keras.Input((64,))",
            () => KerasReader.Read("m.json", "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"Dense\", \"config\": {\"units\": 4}}]}}"));
    }

    private static IEnumerable<string> Layers(Graph graph) => graph.Nodes.Where(node => node.Op is not (Input or Parameter)).Select(node => node.Name);

    private static ModelReadResult ReadData(string name) =>
        KerasReader.Read(name, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Keras", "Data", name)));

    private static string Sequential(string layer, string more = "") =>
        $"{{\"class_name\": \"Sequential\", \"config\": {{\"layers\": [{layer}], \"build_input_shape\": [null, 4]}}{more}}}";

    /// <summary>A layer of 4 units and one setting more; a setting given twice counts as its second value, as in Keras.</summary>
    private static Graph Dense(string setting) =>
        KerasReader.Read("m.json", Sequential($"{{\"class_name\": \"Dense\", \"config\": {{\"name\": \"d\", \"units\": 4, {setting}}}}}")).Model.Graph;

    private static TrainingPlan Compiled(string settings) => KerasReader.Read("m.json",
        Sequential("{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 1}}", $", \"compile_config\": {{{settings}}}")).Model.Plan;

    private static void Functional(string layer) => KerasReader.Read("m.json",
        "{\"class_name\": \"Functional\", \"config\": {\"layers\": [{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"i\", \"batch_shape\": [null, 8]}, \"inbound_nodes\": []}, "
        + layer + "], \"output_layers\": [[\"d\", 0, 0]]}}");

    private static void AssertError(string message, Action read) => Assert.Equal(message, Assert.Throws<ModelFormatException>(read).Message);
}
