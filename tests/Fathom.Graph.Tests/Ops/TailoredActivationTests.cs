using Fathom.Compute;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Graphs.Tests.Ops;

public sealed class TailoredActivationTests
{
    /// <summary>
    /// A residual network of 101 layers: four groups of blocks with three nonlinear layers each, shortcuts of weight 0.6
    /// with a nonlinear layer of their own in the first block of a group, and a nonlinear layer at the end.
    /// </summary>
    private static double Residual101(double value, Func<double, double> layer)
    {
        foreach (int blocks in new[] { 3, 4, 23, 3 })
        {
            for (int block = 0; block < blocks; block++)
            {
                double shortcut = block == 0 ? layer(value) : value;
                value = 0.36 * shortcut + 0.64 * layer(layer(layer(value)));
            }
        }
        return layer(value);
    }

    /// <summary>The authors' own numbers for that network, with C_f(0) = 0.75 and C_f'(1) = 1.2.</summary>
    [Fact]
    public void ResidualNetworkGivesTheAuthorsNumbers()
    {
        double slope = ActivationTailoring.LeakyReluSlope(Residual101, 0.75);
        Assert.Equal(0.6291800290, slope, 2e-8);
        Assert.Equal(1.1969965498, new TailoredLeakyRelu(NegativeSlope: slope).Scale, 2e-8);
        TanhTailoring tanh = ActivationTailoring.Tanh(ActivationTailoring.LayerSlope(Residual101, 1.2));
        Assert.Equal(0.07461073057, tanh.InputScale, 1e-6);
        Assert.Equal(0.5566915200, tanh.InputShift, 1e-6);
        Assert.Equal(-0.5034378769, tanh.OutputShift, 1e-6);
        Assert.Equal(18.00263596, tanh.OutputScale, 1e-4);
    }

    [Xunit.Theory, InlineData(13, 0.9), InlineData(50, 0.9), InlineData(142, 0.9), InlineData(1000, 0.9), InlineData(5, 0.3), InlineData(100, 0.01)]
    public void ComposedCorrelationMapMeetsTheTarget(int depth, double target)
    {
        double slope = new TailoredLeakyRelu(depth, target).SlopeBelow;
        Assert.InRange(slope, 1e-9, 1 - 1e-9);
        double c = 0;
        for (int layer = 0; layer < depth; layer++)
        {
            // The map of leaky ReLU as it stands in THEORY's source, not the rearranged one that the solver uses.
            double relu = (Math.Sqrt(1 - c * c) + (Math.PI - Math.Acos(c)) * c) / Math.PI;
            c = ((1 - slope) * (1 - slope) * relu + 2 * slope * c) / (1 + slope * slope);
        }
        Assert.Equal(target, c, 1e-10);
    }

    [Fact]
    public void ShallowNetworksStayRectifiers()
    {
        for (int depth = 1; depth <= 12; depth++)
        {
            Assert.Equal(0, new TailoredLeakyRelu(depth).SlopeBelow);
        }
        Assert.Equal(Math.Sqrt(2), new TailoredLeakyRelu(1).Scale, 1e-15);
        Assert.Equal((0f, 0f), (OpRun.Elementwise(new TailoredLeakyRelu(1), [float.NegativeInfinity]).Output[0], OpRun.Elementwise(new TailoredLeakyRelu(1), [-3f]).Gradient[0]));
    }

    /// <summary>By an independent quadrature: Simpson's rule on a range of its own, and differences for the derivatives.</summary>
    [Xunit.Theory, InlineData(1, 1.5), InlineData(2, 3), InlineData(20, 1.5), InlineData(100, 1.5), InlineData(5000, 1.5), InlineData(1, 4)]
    public void TanhMeetsTheFourConditions(int depth, double maxSlope)
    {
        TailoredTanh tanh = new(depth, maxSlope);
        double Length(double q) => Expectation(z => Square(tanh.Evaluate(Math.Sqrt(q) * z)));
        Assert.Equal(1, Length(1), 1e-10);
        Assert.Equal(0, Expectation(tanh.Evaluate), 1e-10);
        Assert.Equal(1, (Length(1 + 1e-4) - Length(1 - 1e-4)) / 2e-4, 1e-6);
        Assert.Equal(maxSlope, Math.Pow(Expectation(z => Square(tanh.Slope(z))), depth), 1e-7);
    }

    [Fact]
    public void AttributesOutOfRangeAreNamed()
    {
        Assert.Equal("layer (tailored_leaky_relu): depth is 0; it must be from 1 to 100000", OpRun.ErrorOf(new TailoredLeakyRelu(0), Shape.Of(3)));
        Assert.Equal("layer (tailored_leaky_relu): target is 1; it must be above 0 and below 1", OpRun.ErrorOf(new TailoredLeakyRelu(5, 1), Shape.Of(3)));
        Assert.Equal("layer (tailored_leaky_relu): negative_slope is -0.1; it must be from 0 to 1", OpRun.ErrorOf(new TailoredLeakyRelu(NegativeSlope: -0.1), Shape.Of(3)));
        Assert.Equal("layer (tailored_tanh): depth is 0; it must be from 1 to 100000", OpRun.ErrorOf(new TailoredTanh(0), Shape.Of(3)));
        Assert.Equal("layer (tailored_tanh): max_slope is 1; it must be above 1 and at most 4", OpRun.ErrorOf(new TailoredTanh(5, 1), Shape.Of(3)));
        Assert.Equal("layer (tailored_tanh): layer_slope is 5; it must be above 1 and at most 4", OpRun.ErrorOf(new TailoredTanh(LayerSlope: 5), Shape.Of(3)));
    }

    /// <summary>What it is for: a hundred layers leave orthogonal inputs apart, where ReLU makes them one.</summary>
    [Fact]
    public void AHundredLayersKeepInputsApart()
    {
        Assert.InRange(Correlation(new TailoredLeakyRelu(100)), 0.87, 0.93);
        Assert.InRange(Correlation(new TailoredLeakyRelu(NegativeSlope: 0)), 0.98, 1);
        // C_f'(1) = 1.5 bounds the map from below: C_f(c) ≥ 1 − 1.5·(1 − c) by convexity, and C_f(0) stays near 0.
        Assert.InRange(Correlation(new TailoredTanh(100)), -0.1, 0.35);
    }

    /// <summary>Mean correlation over all pairs of orthogonal inputs behind 100 layers of random orthogonal weights.</summary>
    private static double Correlation(Activation activation)
    {
        const int width = 400, samples = 12;
        NetworkCursor cursor = Network.Input(width);
        for (int layer = 0; layer < 100; layer++)
        {
            cursor = cursor.Dense(width, VarianceScaling.LeCunNormal, useBias: false).Then(activation);
        }
        Graph graph = cursor.Build();
        using WorkerPool pool = new(2);
        using ParameterStore<float> store = new(graph);
        store.Initialize(3);
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(graph, samples, store, pool, [graph.Output]);
        Span<float> x = plan.Real(graph.Inputs.Single().Output);
        x.Clear();
        for (int i = 0; i < samples; i++)
        {
            x[i * width + i] = MathF.Sqrt(width);
        }
        plan.Run(training: false, seed: 1, step: 0);
        float[] y = plan.Real(graph.Output).Span.ToArray();
        double sum = 0;
        for (int i = 0; i < samples; i++)
        {
            for (int k = 0; k < i; k++)
            {
                sum += Cosine(y.AsSpan(i * width, width), y.AsSpan(k * width, width));
            }
        }
        return sum / (samples * (samples - 1) / 2);
    }

    private static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        (double product, double left, double right) = (0, 0, 0);
        for (int i = 0; i < a.Length; i++)
        {
            product += (double)a[i] * b[i];
            left += (double)a[i] * a[i];
            right += (double)b[i] * b[i];
        }
        return product / Math.Sqrt(left * right);
    }

    private static double Expectation(Func<double, double> f)
    {
        const int panels = 20_000;
        const double reach = 9;
        double step = 2 * reach / panels;
        double sum = 0;
        for (int i = 0; i <= panels; i++)
        {
            double z = -reach + i * step;
            int weight = i is 0 or panels ? 1 : i % 2 == 0 ? 2 : 4;
            sum += weight * f(z) * Math.Exp(-z * z / 2);
        }
        return sum * step / 3 / Math.Sqrt(2 * Math.PI);
    }

    private static double Square(double x) => x * x;
}
