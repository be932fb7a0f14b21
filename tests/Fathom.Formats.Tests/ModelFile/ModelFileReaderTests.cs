using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.ModelFile;

public sealed class ModelFileReaderTests
{
    private const string Plan = "loss: mse\noptimizer: sgd\n";

    [Fact]
    public void SampleIsTheNetworkThatItDescribes()
    {
        ModelDefinition model = ModelReader.Read(Path.Combine(RepositoryFiles.Root, "samples", "deep-sigmoid.yaml"));
        Graph expected = Network.Input(64).Repeat(20, block => block.Dense(64, VarianceScaling.XavierNormal).Sigmoid()).Dense(10).Build();
        Assert.Equal(GraphText.Of(expected), GraphText.Of(model.Graph));
        Assert.Equal(("deep-sigmoid", new DataReference("digits")), (model.Name, model.Data));
        Assert.Equal((32, 1UL), (model.Plan.BatchSize, model.Plan.Seed));
        Assert.Equal(new Sgd(0.1), model.Plan.Optimizer);
        Assert.Equal(new CrossEntropy(), model.Plan.Loss);
    }

    [Fact]
    public void SettingsBeyondAllSizesAreNamed()
    {
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => Read("input: 4\nlayers:\n  - reshape: [65536, 65536, 65536, 65536, -1]\n"));
        Assert.Contains("reshape_1 (reshape): its settings are too large for an input of shape (N, 4); a tensor may have at most 2147483647 elements", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EverythingThatAFileCanSayIsRead()
    {
        ModelDefinition model = ModelFileReader.Read("folder/all.yaml", """
            fathom: 1
            data: {source: csv:train.csv, validation: 0.2, label: y, standardize: true}
            seed: 18446744073709551615
            input: [4, 3]
            layers:
              - flatten
              - dense: {units: 6, bias: false, weight: {variance_scaling: {scale: 2, mode: out, distribution: uniform}}}
              - leaky_relu: 1e-3
              - {dense: {units: 6, bias: {constant: 0.25}, weight: he_normal}, name: wide}
              - {add: , from: [wide, -2]}
            loss: {huber: {delta: 0.5}}
            optimizer: {adam: {learning_rate: 1e-3, amsgrad: true}}
            schedule: {warmup: {steps: 5, then: {cosine: {floor: 0.1}}}}
            clip: {global_norm: {max_norm: 1}}
            batch: 8
            epochs: 3
            """);
        Graph expected = Expected();
        Assert.Equal(GraphText.Of(expected), GraphText.Of(model.Graph));
        Assert.Equal("all", model.Name);
        Assert.Equal(new DataReference("csv:train.csv", "0.2", "y", true), model.Data);
        Assert.Equal(new TrainingPlan
        {
            Loss = new Huber(0.5),
            Optimizer = new Adam(1e-3, Amsgrad: true),
            Schedule = new WarmupSchedule(5, Then: new CosineSchedule(Floor: 0.1)),
            Clipping = new ClipByGlobalNorm(1),
            BatchSize = 8,
            Epochs = 3,
            Seed = ulong.MaxValue,
        }, model.Plan);

        static Graph Expected()
        {
            NetworkCursor slope = Network.Input(4, 3).Then(new Flatten())
                .Dense(6, new VarianceScaling(2, FanMode.Out, WeightDistribution.Uniform), useBias: false).Then(new LeakyRelu(1e-3));
            return slope.Dense(6, VarianceScaling.HeNormal, new ConstantInitializer(0.25), name: "wide").Add(slope).Build();
        }
    }

    [Fact]
    public void LayersMayReferForward()
    {
        Graph graph = Read("input: 4\nlayers:\n  - {add: , name: sum, from: [late, input]}\n  - {dense: 4, name: late, from: input}\n  - {dense: 2, from: sum}\n");
        Assert.Equal(["input", "late.weight", "late.bias", "late", "sum", "dense_1.weight", "dense_1.bias", "dense_1"], graph.Nodes.Select(node => node.Name));
        Assert.Equal("dense_1", graph.Output.Name);
    }

    [Fact]
    public void NamesInARepetitionAreThoseOfTheSameRound()
    {
        Graph graph = Read("input: 4\nlayers:\n  - repeat: 2\n    layers:\n      - {dense: 4, name: a}\n      - relu\n      - {add: , name: s, from: [a, -1]}\n  - {concat: , from: [a_1, s_2]}\n");
        Assert.Equal(["a_1", "relu_1", "s_1", "a_2", "relu_2", "s_2", "concat_1"], graph.Nodes.Where(node => node.Op is not (Input or Parameter)).Select(node => node.Name));
        Assert.Equal(["a_2", "relu_2"], graph["s_2"].Inputs.Select(value => value.Name));
    }

    [Fact]
    public void AnchorsCanBeUsed()
    {
        Graph graph = Read("input: 4\nlayers:\n  - dense: &width {units: 4, weight: he_normal}\n  - relu\n  - dense: *width\n");
        Assert.Equal(VarianceScaling.HeNormal, ((Parameter)graph["dense_2.weight"].Op).Initializer);
    }

    [Fact]
    public void AutomaticNamesMakeWayForGivenOnes()
    {
        Graph graph = Read("input: 4\nlayers:\n  - dense: 4\n  - {dense: 4, name: dense_1}\n");
        Assert.Equal("dense_2", graph["dense_1"].Inputs[0].Name);
    }

    [Xunit.Theory]
    [InlineData("dense: {unit: 4}", "m.yaml:4:13: key 'unit': no such setting of dense, nearest is 'units'; allowed: units, bias, weight_standardization, weight")]
    [InlineData("dense: {units: 0}", "m.yaml:4:20: key 'units': 0 is out of range; allowed: 1 or more")]
    [InlineData("dense: 0", "m.yaml:4:12: key 'units': 0 is out of range; allowed: 1 or more")]
    [InlineData("dense: 4.5", "m.yaml:4:12: key 'units': '4.5' is not a whole number; allowed: a whole number")]
    [InlineData("dense: many", "m.yaml:4:12: key 'units': 'many' is not a whole number; allowed: a whole number")]
    [InlineData("dense: [4]", "m.yaml:4:12: key 'units': a list is not a whole number; allowed: a whole number")]
    [InlineData("dense", "m.yaml:4:5: key 'dense': 'units' is missing; allowed: a whole number")]
    [InlineData("dense: {bias: true}", "m.yaml:4:5: key 'dense': 'units' is missing; allowed: a whole number")]
    [InlineData("dense: {units: 99999999999}", "m.yaml:4:20: key 'units': '99999999999' is not a whole number; allowed: a whole number")]
    [InlineData("dense: {units: }", "m.yaml:4:20: key 'units': the value is missing; allowed: a whole number")]
    [InlineData("dense: {units: 4, weight: he_norml}", "m.yaml:4:31: key 'he_norml': no such weight, nearest is 'he_normal'; allowed: constant, delta_orthogonal, forget_gate_bias, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, identity, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, normal, ones, orthogonal, query_key_value_xavier, truncated_normal, uniform, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros")]
    [InlineData("dense: {units: 4, weight: {variance_scaling: {scale: -2}}}", "m.yaml:4:58: key 'scale': '-2' is out of range; allowed: greater than 0")]
    [InlineData("dense: {units: 4, weight: {variance_scaling: {mode: inn}}}", "m.yaml:4:57: key 'mode': 'inn' is not one of the names; allowed: in, out, average")]
    [InlineData("dense: {units: 4, weight: {normal: {standard_deviation: .inf}}}", "m.yaml:4:61: key 'standard_deviation': '.inf' is not a finite number; allowed: a finite number, such as 0.1 or 1e-3")]
    [InlineData("dense: {units: 4, weight: {he_normal: {distribution: uniform}}}", "m.yaml:4:44: key 'distribution': no such setting of he_normal; allowed: scale, mode")]
    [InlineData("dense: {units: 4, bias: {constant: x}}", "m.yaml:4:40: key 'number': 'x' is not a finite number; allowed: a finite number, such as 0.1 or 1e-3")]
    [InlineData("{dense: {units: 4, bias: false, weight: zeros}, form: input}", "m.yaml:4:53: key 'form': no such layer; allowed: one layer's name, and beside it 'name', 'from', 'initializers', 'parameters' and 'frozen'; settings go under the layer's name, as in {dense: {units: 64}}")]
    [InlineData("{dense: 4, relu: }", "m.yaml:4:5: key 'layers': one layer is expected in an entry, 2 are given; allowed: one layer's name, and beside it 'name', 'from', 'initializers', 'parameters' and 'frozen'")]
    [InlineData("{dense: 4, from: inptu}", "m.yaml:4:22: key 'from': no such layer, nearest is 'input': 'inptu'; allowed: the name of a layer, 'input', or a distance such as -2")]
    [InlineData("{dense: 4, from: -2}", "m.yaml:4:22: key 'from': '-2' goes back beyond the input; 0 layers stand before this one")]
    [InlineData("{dense: 4, from: input:1}", "m.yaml:4:22: key 'from': input has 1 output, and outputs are counted from 0; output 1 does not exist")]
    [InlineData("{dense: 4, from: []}", "m.yaml:4:22: key 'from': there is no layer in the list; allowed: the name of a layer, or a list of names")]
    [InlineData("{dense: 4, name: input}", "m.yaml:4:22: key 'name': 'input' is taken by another layer or an input; allowed: names that occur once")]
    [InlineData("{dense: 4, name: -3}", "m.yaml:4:22: key 'name': '-3' is no name; allowed: a text that is neither empty nor a negative number")]
    [InlineData("{relu: , name: loop, from: loop}", "m.yaml:4:6: the layers form a circle: loop → loop; a layer cannot feed itself")]
    [InlineData("sigmoid: 3", "m.yaml:4:5: key 'sigmoid': it has no settings; allowed: nothing after the name")]
    [InlineData("dropout: 1.5", "m.yaml:4:14: key 'rate': 1.5 is out of range; allowed: 0 or more and below 1")]
    [InlineData("{add: , from: [input, input, -1], name: [a]}", "m.yaml:4:45: key 'name': a list is not a text; allowed: a text")]
    [InlineData("~", "m.yaml:4:5: key 'layers': an empty entry is not a layer; allowed: a layer's name, or a layer's name with its settings")]
    [InlineData("{repeat: 0, layers: [relu]}", "m.yaml:4:14: key 'repeat': 0 is out of range; allowed: 1 or more")]
    [InlineData("{repeat: 2, layer: [relu]}", "m.yaml:4:17: key 'layer': no such key of a repetition, nearest is 'layers'; allowed: repeat, layers")]
    [InlineData("{repeat: 2, layers: []}", "m.yaml:4:25: key 'layers': there is no layer; allowed: a list of at least one layer")]
    [InlineData("{repeat: 100001, layers: [relu]}", "m.yaml:4:31: key 'layers': there are more than 100000 layers, repetitions written out")]
    [InlineData("{dense: 4, parameters: {wieght: w}}", "m.yaml:4:37: key 'wieght': the layer has no such parameter with these settings; allowed: bias, weight")]
    [InlineData("{dense: 4, parameters: {weight: [w]}}", "m.yaml:4:37: key 'weight': a list is not a text; allowed: a text")]
    [InlineData("{dense: 4, parameters: w}", "m.yaml:4:28: key 'parameters': keys and values are expected here, such as {key: value}")]
    [InlineData("{dense: {units: 4, weight: zeros}, initializers: {weight: ones}}", "m.yaml:4:32: key 'weight': its initializer is given twice; allowed: one of the two")]
    [InlineData("{dense: 4, frozen: [slope]}", "m.yaml:4:25: key 'slope': the layer has no such parameter with these settings; allowed: bias, weight")]
    [InlineData("{dense: 4, frozen: some}", "m.yaml:4:24: key 'frozen': 'some' is not true or false; allowed: true, false")]
    [InlineData("{dense: 4, parameters: {weight: w}}\n  - {dense: 4, parameters: {weight: w}}", "m.yaml:5:6: dense_2 (dense): the parameter w has the shape (4, 8), and weight must have the shape (4, 4)")]
    [InlineData("dense: 2000000000", "m.yaml:4:5: dense_1 (dense): weight would have the shape (2000000000, 8); a parameter may have at most 2147483647 elements")]
    [InlineData("dense: {units: 4, bias: false}\n  - {add: , from: [dense_1, input]}", "m.yaml:5:6: add_1 (add): expected input 1 of shape (N, 4), given shape (N, 8)")]
    public void WrongLayerIsOneClearLine(string layer, string message) =>
        AssertError(message, $"fathom: 1\ninput: 8\nlayers:\n  - {layer}\n" + Plan);

    [Fact]
    public void UnknownLayerNamesTheNearest()
    {
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => Read("input: 8\nlayers: [sigmod]\n"));
        Assert.StartsWith("m.yaml:3:10: key 'sigmod': no such layer, nearest is 'sigmoid'; allowed: adaptive_avg_pool2d, add, ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CircleListsItsLayers() => AssertError("m.yaml:4:6: the layers form a circle: a → b → c → a; a layer cannot feed itself",
        "fathom: 1\ninput: 8\nlayers:\n  - {relu: , name: a, from: c}\n  - {relu: , name: b}\n  - {relu: , name: c}\n  - dense: 2\n" + Plan);

    [Xunit.Theory]
    [InlineData("", "m.yaml: the file is empty; a model file starts with 'fathom: 1'")]
    [InlineData("just words", "m.yaml:1:1: a model file consists of keys and values; it starts with 'fathom: 1'")]
    [InlineData("input: 3", "m.yaml:1:1: key 'fathom': the key is missing; allowed: 1")]
    [InlineData("fathom: 2", "m.yaml:1:9: key 'fathom': this is version 2 of the format, which is newer than this program; allowed: 1")]
    [InlineData("fathom: 1\nlayer: [relu]", "m.yaml:2:1: key 'layer': no such key, nearest is 'layers'; allowed: fathom, name, data, seed, input, layers, output, initialization, loss, class_weights, optimizer, schedule, clip, regularization, batch, accumulate, recompute, epochs, metrics, pretraining, on_finding, precision")]
    [InlineData("fathom: 1\nlayers: [relu]", "m.yaml:1:1: key 'input': the key is missing; allowed: the shape of a sample, such as 64 or [28, 28, 1]")]
    [InlineData("fathom: 1\ninput: abc", "m.yaml:2:8: key 'input': 'abc' is not a whole number; allowed: the shape of a sample, such as 64 or [28, 28, 1]")]
    [InlineData("fathom: 1\ninput: [4, 0]", "m.yaml:2:12: key 'input': 0 is out of range; allowed: extents of 1 or more")]
    [InlineData("fathom: 1\ninput: 4", "m.yaml:1:1: key 'layers': the key is missing; allowed: a list of at least one layer")]
    [InlineData("fathom: 1\ninput: 4\nlayers: relu", "m.yaml:3:9: key 'layers': 'relu' is not a list; allowed: a list of at least one layer")]
    [InlineData("fathom: 1\ninput: 4\ninput: 5", "m.yaml:3:1: no valid YAML: Duplicate key input")]
    [InlineData("fathom: 1\n---\nfathom: 1", "m.yaml:3:1: a second document starts here; a model file is one document")]
    public void WrongFileIsOneClearLine(string text, string message) => AssertError(message, text);

    [Xunit.Theory]
    [InlineData("optimizer: sgd", "m.yaml:1:1: key 'loss': the key is missing; allowed: binary_cross_entropy, cross_entropy, hinge, huber, kl_divergence, mae, margin, mse, nll")]
    [InlineData("loss: mse\noptimizer: {sgd: {learning_rate: -0.1}}", "m.yaml:5:34: key 'learning_rate': -0.1 is out of range; allowed: greater than 0 and finite")]
    [InlineData("loss: mse\noptimizer: {sgd: {momentum: 2}}", "m.yaml:5:29: key 'momentum': 2 is out of range; allowed: at least 0 and below 1")]
    [InlineData("loss: mse\noptimizer: {sgd: {lr: 2}}", "m.yaml:5:19: key 'lr': no such setting of sgd; allowed: learning_rate, momentum, dampening, weight_decay, nesterov")]
    [InlineData("loss: mse\noptimizer: {sgd: {}, adam: {}}", "m.yaml:5:12: key 'optimizer': one name with its settings is expected here, 2 keys are given; allowed: adadelta, adagrad, adam, adamax, adamw, keras_adadelta, keras_adagrad, keras_adam, keras_adamax, keras_adamw, keras_lion, keras_nadam, keras_rmsprop, keras_sgd, lamb, lars, lion, nadam, radam, rmsprop, sgd, stable_adamw")]
    [InlineData("loss: {cross_entropy: {from_logits: maybe}}\noptimizer: sgd", "m.yaml:4:37: key 'from_logits': 'maybe' is not true or false; allowed: true, false")]
    [InlineData("loss: mse\noptimizer: sgd\nclip: {global_norm: 0}", "m.yaml:6:21: key 'max_norm': 0 is out of range; allowed: greater than 0")]
    [InlineData("loss: mse\noptimizer: sgd\nschedule: {exponential: 0}", "m.yaml:6:25: key 'gamma': 0 is out of range; allowed: greater than 0 and finite")]
    [InlineData("loss: mse\noptimizer: sgd\nbatch: 0", "m.yaml:6:8: key 'batch': 0 is out of range; allowed: 1 or more")]
    [InlineData("loss: mse\noptimizer: sgd\nepochs: 0", "m.yaml:6:9: key 'epochs': 0 is out of range; allowed: 1 or more")]
    [InlineData("loss: mse\noptimizer: sgd\nseed: -1", "m.yaml:6:7: key 'seed': '-1' is not a whole number of 0 or more; allowed: a whole number")]
    [InlineData("loss: mse\noptimizer: sgd\noutput: relu_2", "m.yaml:6:9: key 'output': no such layer, nearest is 'relu_1': 'relu_2'; allowed: the name of a layer, 'input', or a distance such as -2")]
    [InlineData("loss: mse\noptimizer: sgd\ndata: {validation: 0.2}", "m.yaml:6:7: key 'source': the key is missing; allowed: a data set, such as digits or csv:train.csv")]
    [InlineData("loss: mse\noptimizer: sgd\ndata: {source: digits, validation: 1.5}", "m.yaml:6:36: key 'validation': 1.5 is out of range; allowed: a fraction between 0 and 1, or a data set such as csv:validation.csv")]
    public void WrongPlanIsOneClearLine(string plan, string message) => AssertError(message, "fathom: 1\ninput: 4\nlayers: [relu]\n" + plan);

    [Fact]
    public void DeepNestingIsRefusedBeforeItOverflowsTheStack() =>
        Assert.EndsWith("nested more than 64 levels deep", Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", new string('[', 200_000))).Message, StringComparison.Ordinal);

    [Fact]
    public void RepetitionsInsideRepetitionsAreBounded()
    {
        string layers = "relu";
        for (int i = 0; i < 8; i++)
        {
            layers = $"{{repeat: 1000, layers: [{layers}]}}";
        }
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => Read($"input: 4\nlayers: [{layers}]\n"));
        Assert.EndsWith("there are more than 100000 layers, repetitions written out", error.Message, StringComparison.Ordinal);
    }

    private static Graph Read(string text) => ModelFileReader.Read("m.yaml", "fathom: 1\n" + text + Plan).Graph;

    private static void AssertError(string message, string text) =>
        Assert.Equal(message, Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", text)).Message);
}
