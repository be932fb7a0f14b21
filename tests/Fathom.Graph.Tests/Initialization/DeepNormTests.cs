using Fathom.Compute;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Initialization;

public sealed class DeepNormTests
{
    /// <summary>Figure 2 of the paper: encoder-only, N = 18 blocks.</summary>
    [Fact]
    public void FactorsAreThePapers()
    {
        (double alpha, double beta) = DeepNorm.Factors(36);
        Assert.Equal(Math.Pow(2 * 18, 0.25), alpha, 1e-12);
        Assert.Equal(Math.Pow(8 * 18, -0.25), beta, 1e-12);
    }

    [Fact]
    public void ShortcutsAreScaledUpAndBranchesDown()
    {
        NetworkCursor x = Network.Input(6).Dense(6, VarianceScaling.HeNormal, name: "stem");
        x = x.Repeat(4, block => block.Dense(12).Relu().Dense(6).Add(block).Then(new LayerNorm([])));
        Graph graph = new DeepNorm().Apply(x.Dense(3, VarianceScaling.HeUniform, name: "head").Build());
        (double alpha, double beta) = DeepNorm.Factors(4);
        Rescaling rescaling = Assert.IsType<Rescaling>(graph["add_2"].Inputs[1].Node.Op);
        Assert.Equal(alpha, rescaling.Factor);
        Assert.Equal("add_2.alpha", graph["add_2"].Inputs[1].Node.Name);
        Assert.Equal(VarianceScaling.XavierNormal with { Scale = beta * beta }, Start(graph, "dense_3.weight"));
        Assert.Equal(VarianceScaling.XavierNormal with { Scale = beta * beta }, Start(graph, "dense_8.weight"));
        Assert.Equal((VarianceScaling.HeNormal, VarianceScaling.HeUniform), (Start(graph, "stem.weight"), Start(graph, "head.weight")));
        Graph given = new DeepNorm(Alpha: 2, Beta: 0.5).Apply(x.Build());
        Assert.Equal(2, ((Rescaling)given["add_1.alpha"].Op).Factor);
        Assert.Equal(0.25, ((VarianceScaling)Start(given, "dense_1.weight")).Scale);
    }

    [Fact]
    public void ANormalizationElsewhereIsRefused()
    {
        NetworkCursor x = Network.Input(6).Dense(6);
        Graph pre = x.Then(new LayerNorm([])).Dense(6).Add(x).Dense(3).Build();
        Assert.Equal("initialization deepnorm: the network has no residual connection that a layer_norm or rms_norm alone reads; it is for transformers with the normalisation behind the add (post-norm)",
            Assert.Throws<GraphException>(() => new DeepNorm().Apply(pre)).Message);
        Assert.Equal("initialization deepnorm: alpha is 0; it must be greater than 0 and finite", Assert.Throws<GraphException>(() => new DeepNorm(Alpha: 0).Apply(pre)).Message);
    }

    [Fact]
    public void ValuesAloneHaveTheGain()
    {
        Shape shape = Shape.Of(3 * 200, 300);
        QueryKeyValueXavier initializer = new(0.5);
        using AlignedMemory<double> memory = new(600 * 300);
        initializer.Fill(shape, new RandomKey(1, 2, 3), memory.Buffer);
        double[] all = memory.Buffer.Span.ToArray();
        foreach ((int block, double gain) in new[] { (0, 1.0), (1, 1.0), (2, 0.5) })
        {
            double square = all.Skip(block * 60_000).Take(60_000).Average(w => w * w);
            Assert.Equal(1, square / (gain * gain * 2 / 500), 0.03);
        }
        Assert.Equal(1, all.Average(w => w * w) / initializer.Variance(Fans.Of(shape)), 0.03);
    }

    private static Initializer Start(Graph graph, string parameter) => ((Parameter)graph[parameter].Op).Initializer;
}
