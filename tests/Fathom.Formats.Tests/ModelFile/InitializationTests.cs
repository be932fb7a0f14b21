using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Initialization;
using Fathom.Training.Pretraining;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>The keys <c>initialization</c> and <c>pretraining</c>, and gains named by activations.</summary>
public sealed class InitializationTests
{
    private const string Chain = "fathom: 1\ninput: 8\nlayers:\n  - dense: 6\n  - tanh\n  - dense: 3\nloss: mse\noptimizer: sgd\n";

    private const string Residual = "fathom: 1\ninput: 8\nlayers:\n  - dense: 6\n  - repeat: 2\n    layers:\n      - dense: 6\n      - relu\n      - dense: 6\n      - {add: {}, from: [-1, -4]}\n      - layer_norm: [6]\n  - dense: 3\nloss: mse\noptimizer: sgd\n";

    [Xunit.Theory]
    [InlineData("critical")]
    [InlineData("{critical: {bias_variance: 0.05}}")]
    [InlineData("{critical: {length: 0.5, orthogonal: true}}")]
    [InlineData("lsuv")]
    [InlineData("{lsuv: {tolerance: 0.02, tries: 5}}")]
    [InlineData("fixup")]
    [InlineData("deepnorm")]
    [InlineData("{deepnorm: {alpha: 1.5, beta: 0.5}}")]
    public void ARuleIsReadAppliedAndWritten(string rule)
    {
        string file = rule.Contains("fixup", StringComparison.Ordinal) || rule.Contains("deepnorm", StringComparison.Ordinal) ? Residual : Chain;
        ModelDefinition plain = ModelFileReader.Read("m.yaml", file);
        ModelDefinition model = ModelFileReader.Read("m.yaml", file + $"initialization: {rule}\n");
        InitializationRule expected = rule switch
        {
            "critical" => new CriticalInitialization(),
            "{critical: {bias_variance: 0.05}}" => new CriticalInitialization(BiasVariance: 0.05),
            "{critical: {length: 0.5, orthogonal: true}}" => new CriticalInitialization(0.5, null, true),
            "lsuv" => new Lsuv(),
            "{lsuv: {tolerance: 0.02, tries: 5}}" => new Lsuv(0.02, 5),
            "fixup" => new Fixup(),
            "deepnorm" => new DeepNorm(),
            _ => new DeepNorm(1.5, 0.5),
        };
        Assert.NotEqual(GraphText.Of(plain.Graph), GraphText.Of(model.Graph));
        Assert.Equal(GraphText.Of(expected.Apply(plain.Graph)), GraphText.Of(model.Graph));
        Assert.Equal(expected as Lsuv, model.Plan.Initialization);
        string text = ModelFileWriter.Write(model);
        ModelDefinition back = ModelFileReader.Read("m.yaml", text);
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(back.Graph));
        Assert.Equal(model.Plan, back.Plan);
        Assert.Equal(text, ModelFileWriter.Write(back));
    }

    [Xunit.Theory]
    [InlineData("initialization: critcal\n", "m.yaml:9:17: key 'critcal': no such initialization, nearest is 'critical'")]
    [InlineData("initialization: {critical: {length: -1}}\n", "m.yaml:9:37: key 'length': -1 is out of range; allowed: greater than 0 and finite")]
    [InlineData("initialization: {lsuv: {tries: 0}}\n", "m.yaml:9:32: key 'tries': 0 is out of range; allowed: 1 or more")]
    [InlineData("initialization: fixup\n", "m.yaml:9:17: initialization fixup: the network has no residual branch")]
    [InlineData("pretraining: rbm\n", "m.yaml:9:14: pretraining rbm: dense_1 (dense) is read by tanh; a restricted Boltzmann machine has sigmoid units: take autoencoder for others")]
    [InlineData("pretraining: {autoencoder: {corruption: 2}}\n", "m.yaml:9:41: key 'corruption': 2 is out of range; allowed: from 0 to below 1")]
    [InlineData("pretraining: {autoencoder: {epoch: 2}}\n", "m.yaml:9:29: key 'epoch': no such setting of autoencoder, nearest is 'epochs'")]
    [InlineData("initialization: lsuv\npretraining: autoencoder\n", "m.yaml:10:14: key 'pretraining': the file has 'initialization: lsuv' too")]
    public void WhatIsWrongIsPointedAt(string lines, string message) =>
        Assert.StartsWith(message, Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", Chain + lines)).Message, StringComparison.Ordinal);

    [Fact]
    public void PretrainingIsReadAndWritten()
    {
        ModelDefinition model = ModelFileReader.Read("m.yaml", Chain.Replace("tanh", "sigmoid", StringComparison.Ordinal) + "pretraining: {rbm: {epochs: 3, steps: 2, persistent: true, visible: gaussian}}\n");
        Assert.Equal(new RbmPretraining(3, Steps: 2, Persistent: true, Visible: VisibleUnits.Gaussian), model.Plan.Pretraining);
        Assert.Contains("pretraining: {rbm: {epochs: 3, steps: 2, persistent: true, visible: gaussian}}\n", ModelFileWriter.Write(model), StringComparison.Ordinal);
        Assert.Equal(model.Plan, ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Plan);
        Assert.Equal(new AutoencoderPretraining(Noise: CorruptionKind.Gaussian, Tied: false), ModelFileReader.Read("m.yaml", Chain + "pretraining: {autoencoder: {noise: gaussian, tied: false}}\n").Plan.Pretraining);
    }

    [Xunit.Theory]
    [InlineData("{xavier_normal: {gain: relu}}", 2)]
    [InlineData("{he_uniform: {gain: tanh, mode: average}}", 25.0 / 9)]
    [InlineData("{variance_scaling: {gain: 3}}", 9)]
    [InlineData("{lecun_normal: {gain: {leaky_relu: 0.2}}}", 2 / 1.04)]
    public void AGainIsANumberOrAnActivation(string initializer, double scale)
    {
        ModelDefinition model = ModelFileReader.Read("m.yaml", Chain.Replace("dense: 6", $"dense: {{units: 6, weight: {initializer}}}", StringComparison.Ordinal));
        VarianceScaling scaling = Assert.IsType<VarianceScaling>(((Parameter)model.Graph["dense_1.weight"].Op).Initializer);
        Assert.Equal(scale, scaling.Scale, 1e-12);
        Assert.Equal(initializer.Contains("average", StringComparison.Ordinal) ? FanMode.Average : initializer.Contains("xavier", StringComparison.Ordinal) ? FanMode.Average : FanMode.In, scaling.Mode);
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Graph));
    }

    /// <summary>Every family with every distribution and fan, by name.</summary>
    [Fact]
    public void EveryFamilyIsReachable()
    {
        foreach (string family in new[] { "xavier", "glorot", "he", "kaiming", "lecun" })
        {
            foreach (string distribution in new[] { "normal", "uniform", "truncated_normal" })
            {
                foreach ((string mode, FanMode fan) in new[] { ("in", FanMode.In), ("out", FanMode.Out), ("average", FanMode.Average) })
                {
                    ModelDefinition model = ModelFileReader.Read("m.yaml", Chain.Replace("dense: 6", $"dense: {{units: 6, weight: {{{family}_{distribution}: {{mode: {mode}}}}}}}", StringComparison.Ordinal));
                    VarianceScaling scaling = Assert.IsType<VarianceScaling>(((Parameter)model.Graph["dense_1.weight"].Op).Initializer);
                    Assert.Equal((fan, distribution.Replace("_", "", StringComparison.Ordinal)), (scaling.Mode, scaling.Distribution.ToString().ToLowerInvariant()));
                }
            }
        }
    }

    [Xunit.Theory]
    [InlineData("{orthogonal: {gain: tanh}}", "orthogonal")]
    [InlineData("{delta_orthogonal: {gain: 2}}", "delta_orthogonal")]
    [InlineData("{identity: 0.5}", "identity")]
    public void NewInitializersComeBack(string initializer, string kind)
    {
        ModelDefinition model = ModelFileReader.Read("m.yaml", Chain.Replace("dense: 6", $"dense: {{units: 9, weight: {initializer}}}", StringComparison.Ordinal));
        Assert.Equal(kind, ((Parameter)model.Graph["dense_1.weight"].Op).Initializer.Kind);
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Graph));
    }

    [Xunit.Theory]
    [InlineData("{he_normal: {gain: rely}}", "key 'gain': no such activation, nearest is 'relu'")]
    [InlineData("{he_normal: {gain: 2, scale: 2}}", "key 'gain': 'scale' is given too, and is the square of the gain; allowed: one of the two")]
    [InlineData("{orthogonal: {gain: 0}}", "key 'gain': '0' is out of range; allowed: greater than 0")]
    [InlineData("delta_orthogonal", "dense_1.weight (parameter): expected a weight (out, in, kernel…) with as many outputs as inputs or more, which the initializer delta_orthogonal needs, given shape (6, 8)")]
    public void AWrongGainOrShapeIsSaid(string initializer, string message) =>
        Assert.Contains(message, Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", Chain.Replace("dense: 6", $"dense: {{units: 6, weight: {initializer}}}", StringComparison.Ordinal))).Message, StringComparison.Ordinal);

    [Xunit.Theory]
    [InlineData("deep-belief-network.yaml", typeof(RbmPretraining))]
    [InlineData("stacked-autoencoder.yaml", typeof(AutoencoderPretraining))]
    public void SamplesAreRead(string sample, Type rule) =>
        Assert.IsType(rule, ModelReader.Read(Path.Combine(RepositoryFiles.Root, "samples", sample)).Plan.Pretraining);
}
