using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>Blocks in model files: read as one layer, written as what they are made of.</summary>
public sealed class BlockFileTests
{
    [Fact]
    public void ABlockIsReadLikeALayer()
    {
        Graph graph = Read("""
            layers:
              - highway
              - {highway: {activation: {leaky_relu: 0.2}, gate_bias: -3}, name: way}
              - {highway: {activation: null}, initializers: {transform.weight: he_normal}, parameters: {gate.weight: way.gate.weight}, frozen: [gate.bias]}
              - {concat: , from: [way, highway_1.gate.sigmoid, highway_2]}
            """);
        NetworkCursor first = Network.Input(8).Highway();
        NetworkCursor way = first.Highway(new LeakyRelu(0.2), -3, name: "way");
        Value third = way.Builder.Block(new Highway(), "highway_2", [way.Value], new Dictionary<string, Initializer> { ["transform.weight"] = VarianceScaling.HeNormal },
            new Dictionary<string, string> { ["gate.weight"] = "way.gate.weight" }, key => key == "gate.bias");
        Value gate = way.Builder.Find("highway_1.gate.sigmoid")!.Value;
        Graph expected = way.Builder.Build(way.Builder.Layer(new Concat(), "concat_1", [way.Value, gate, third]));
        Assert.Equal(GraphText.Of(expected), GraphText.Of(graph));
    }

    [Fact]
    public void AllOfABlockCanBeFrozen()
    {
        Graph graph = Read("layers: [{highway: {}, frozen: true}, dense: 2]");
        Assert.Equal(8 * 2 + 2, graph.ParameterCount);
    }

    [Fact]
    public void AResidualBlockGoesAroundItsLayers()
    {
        Graph graph = Read("""
            layers:
              - {dense: 8, name: stem}
              - residual:
                  scale: rezero
                  layers: [{dense: 4}, relu, {dense: 8}]
              - repeat: 2
                layers:
                  - {residual: {layers: [{dense: 8, name: inner}, {residual: {layers: [tanh]}}]}, name: block}
              - {residual: {layers: [sigmoid]}, from: stem, name: side}
              - {residual: {layers: [sigmoid]}, from: -3, name: back}
              - {add: , from: [block_2, side, back]}
            """);
        Assert.Equal(["residual_1.scale", "stem"], Inputs("residual_1"));
        Assert.Equal(["dense_2", "residual_1.scale.weight"], Inputs("residual_1.scale"));
        Assert.Equal(["residual_1"], graph["inner_1"].DataInputs.Select(value => value.Name));
        Assert.Equal(["tanh_1", "inner_1"], Inputs("residual_2"));
        Assert.Equal(["residual_2", "residual_1"], Inputs("block_1"));
        Assert.Equal(["tanh_2", "inner_2"], Inputs("residual_3"));
        Assert.Equal(["residual_3", "block_1"], Inputs("block_2"));
        Assert.Equal(["stem"], Inputs("sigmoid_1"));
        Assert.Equal(["sigmoid_1", "stem"], Inputs("side"));
        Assert.Equal(["block_2"], Inputs("sigmoid_2")); // side and its sigmoid stand between
        Assert.Equal(["sigmoid_2", "block_2"], Inputs("back"));

        string[] Inputs(string name) => [.. graph[name].Inputs.Select(value => value.Name)];
    }

    [Fact]
    public void AResidualBlockMayBeTheFirstLayer()
    {
        Graph graph = Read("layers: [{residual: {layers: [dense: 8]}}]");
        Assert.Equal(["dense_1", "input"], graph["residual_1"].Inputs.Select(value => value.Name));
    }

    [Fact]
    public void WhatABlockExpandedToComesBack()
    {
        Graph graph = Network.Input(8).Repeat(2, block => block.Highway(weight: VarianceScaling.HeNormal)).Residual(branch => branch.Dense(5).Scale(0.5), ResidualScale.Layerscale)
            .Dense(3, weightStandardization: WeightStandardization.Scaled).Build();
        string text = ModelFileWriter.Write(new ModelDefinition("m", graph, new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd() }));
        Assert.Contains("  - {dense: {units: 8, weight: he_normal}, name: highway_1.transform}\n  - {relu: {}, name: highway_1.transform.activation}\n  - {dense: {units: 8, bias: {constant: -2}}, name: highway_1.gate, from: input}\n", text, StringComparison.Ordinal);
        Assert.Contains("  - dense: {units: 3, weight_standardization: scaled}\n", text, StringComparison.Ordinal);
        Assert.Equal(GraphText.Of(graph), GraphText.Of(ModelFileReader.Read("m.yaml", text).Graph));
    }

    [Xunit.Theory]
    [InlineData("dense: {units: 2, weight: {truncated_normal: {low: 2, high: -2}}}", "m.yaml:4:31: key 'low': nothing can be drawn from 2 to -2 standard deviations; allowed: low below high, and a part of them within 30 standard deviations")]
    [InlineData("dense: {units: 2, weight: {truncated_normal: {low: 100, high: 200}}}", "m.yaml:4:31: key 'low': nothing can be drawn from 100 to 200 standard deviations; allowed: low below high, and a part of them within 30 standard deviations")]
    [InlineData("highwy", "m.yaml:4:5: key 'highwy': no such layer, nearest is 'highway'; allowed: ")]
    [InlineData("highway: {gate: 1}", "m.yaml:4:15: key 'gate': no such setting of highway; allowed: activation, gate_bias")]
    [InlineData("highway: {gate_bias: x}", "m.yaml:4:26: key 'gate_bias': 'x' is not a finite number; allowed: a finite number, such as 0.1 or 1e-3")]
    [InlineData("highway: {activation: dense}", "m.yaml:4:27: key 'dense': no such activation; allowed: ")]
    [InlineData("{highway: {}, initializers: {weight: ones}}", "m.yaml:4:6: highway_1 (highway): it has no parameter weight; it has transform.weight, transform.bias, gate.weight, gate.bias")]
    [InlineData("{highway: {}, frozen: [weight]}", "m.yaml:4:27: key 'frozen': the block has no parameter 'weight'; allowed: gate.bias, gate.weight, transform.bias, transform.weight")]
    [InlineData("{highway: {}, from: highway_1.gate}", "m.yaml:4:6: the layers form a circle: highway_1 → highway_1; a layer cannot feed itself")]
    [InlineData("highway\n  - {relu: , from: highway_1.door}", "m.yaml:5:20: key 'from': the block highway_1 has no layer 'highway_1.door'")]
    [InlineData("highway\n  - {relu: , from: highway_1:1}", "m.yaml:5:20: key 'from': highway_1 has 1 output, and outputs are counted from 0; output 1 does not exist")]
    [InlineData("residual: {scale: rezero}", "m.yaml:4:5: residual_1 (residual): expected 2 inputs, given 1")]
    [InlineData("residual: {layers: []}", "m.yaml:4:24: key 'layers': there is no layer; allowed: a list of at least one layer")]
    [InlineData("residual: {layers: [flatten], initial_scale: 2}", "m.yaml:4:50: key 'initial_scale': 2 is out of range; allowed: left out where scale is none")]
    [InlineData("{residual: {layers: [relu]}, from: [input, input]}", "m.yaml:4:41: key 'from': 2 layers are given, and a block around layers reads one; allowed: the name of one layer")]
    [InlineData("{residual: {layers: [relu]}, from: stem}", "m.yaml:4:40: key 'from': no such layer: 'stem'; allowed: ")]
    [InlineData("{residual: {layers: [relu]}, from: -4}", "m.yaml:4:40: key 'from': '-4' goes back beyond the input; 0 layers stand before this one")]
    public void WrongBlockIsOneClearLine(string layer, string message)
    {
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", $"fathom: 1\ninput: 8\nlayers:\n  - {layer}\nloss: mse\noptimizer: sgd\n"));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private static Graph Read(string layers) => ModelFileReader.Read("m.yaml", $"fathom: 1\ninput: 8\n{layers}\nloss: mse\noptimizer: sgd\n").Graph;
}
