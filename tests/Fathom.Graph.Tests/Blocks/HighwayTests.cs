using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs.Tests.Ops;
using Fathom.Testing;

namespace Fathom.Graph.Tests.Blocks;

public sealed class HighwayTests
{
    [Fact]
    public void ItsPartsAreOrdinaryNodes()
    {
        Graphs.Graph graph = Network.Input(6).Highway(new Tanh(), -3, VarianceScaling.LeCunNormal).Build();
        Assert.Equal(
            ["input", "highway_1.transform.weight", "highway_1.transform.bias", "highway_1.transform", "highway_1.transform.activation",
                "highway_1.gate.weight", "highway_1.gate.bias", "highway_1.gate", "highway_1.gate.sigmoid", "highway_1"],
            graph.Nodes.Select(node => node.Name));
        Assert.Equal(new ConstantInitializer(-3), ((Parameter)graph["highway_1.gate.bias"].Op).Initializer);
        Assert.Equal(VarianceScaling.LeCunNormal, ((Parameter)graph["highway_1.transform.weight"].Op).Initializer);
        Assert.Equal(["highway_1.gate.sigmoid", "highway_1.transform.activation", "input"], graph["highway_1"].Inputs.Select(value => value.Name));
    }

    /// <summary>T·H + (1 − T)·x in numbers: H = tanh(2·x1), T = σ(x0), x = (0.5, −1).</summary>
    [Fact]
    public void ItMixesTransformAndInput()
    {
        GraphRun<double> run = Make(new Highway(new Tanh()), 2, new Dictionary<string, double[]> { ["x"] = [0.5, -1], ["wh"] = [0, 2, 0, 2], ["bh"] = [0, 0], ["wt"] = [1, 0, 1, 0], ["bt"] = [0, 0] });
        run.Execute();
        (double gate, double transform) = (1 / (1 + Math.Exp(-0.5)), Math.Tanh(-2));
        Assert.Equal(gate * transform + (1 - gate) * 0.5, run.Results["y"][0], 1e-12);
        Assert.Equal(gate * transform - (1 - gate), run.Results["y"][1], 1e-12);
    }

    [Xunit.Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    public void GradientsAreTheDerivatives(int rows, int width)
    {
        Dictionary<string, double[]> inputs = new()
        {
            ["x"] = OpRun.Data(rows * width, 1),
            ["wh"] = OpRun.Data(width * width, 2),
            ["bh"] = OpRun.Data(width, 3),
            ["wt"] = OpRun.Data(width * width, 4),
            ["bt"] = OpRun.Data(width, 5),
        };
        Dictionary<string, double[]> upstream = new() { ["y"] = OpRun.Data(rows * width, 6) };
        Assert.Null(GradientCheck.Mismatch(given => Make(new Highway(new Tanh()), width, given, upstream["y"]), inputs, upstream));
        Assert.Null(GradientCheck.Mismatch(given => Make(new Highway(), width, given, upstream["y"]), inputs, upstream));
    }

    [Fact]
    public void WrongInputsAndSettingsAreNamed()
    {
        Assert.Equal("highway_1 (highway): gate_bias is NaN; it must be finite", Assert.Throws<GraphException>(() => Network.Input(3).Highway(gateBias: double.NaN)).Message);
        Assert.Equal("highway_1 (highway): expected an input whose last axis has a fixed size (…, features), given shape (N)",
            Assert.Throws<GraphException>(() => Network.Input().Highway()).Message);
    }

    private static GraphRun<double> Make(Highway block, int width, IReadOnlyDictionary<string, double[]> given, double[]? upstream = null)
    {
        GraphRun<double> run = new();
        Value x = run.Real("x", [given["x"].Length / width, width], given["x"]);
        foreach ((string name, double[] values) in given.Where(pair => pair.Key != "x"))
        {
            run.Real(name, name[0] == 'w' ? [width, width] : [width], values);
        }
        run.Output("y", run.Builder.Block(block, "h", [x], null,
            new Dictionary<string, string> { ["transform.weight"] = "wh", ["transform.bias"] = "bh", ["gate.weight"] = "wt", ["gate.bias"] = "bt" }), upstream);
        return run;
    }
}
