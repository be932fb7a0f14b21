using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;

namespace Fathom.Training.Tests.Initializers;

public sealed class InitializerTests
{
    [Fact]
    public void NamesHaveTheirAliases()
    {
        Assert.Equal(VarianceScaling.XavierUniform, InitializerCatalog.Create("glorot_uniform"));
        Assert.Equal(VarianceScaling.HeNormal, InitializerCatalog.Create("kaiming_normal"));
        Assert.Equal(new Orthogonal(2), InitializerCatalog.Create("orthogonal", gain: 2));
        Assert.Equal(VarianceScaling.HeNormal with { Mode = FanMode.Out }, InitializerCatalog.Create("he_normal", mode: FanMode.Out));
        Assert.Equal(9.0 / 40, InitializerCatalog.Create("lecun_normal", gain: 3).Variance(new Fans(40, 10)), 1e-12);
        string[] names = ["xavier_normal", "xavier_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "zeros", "ones",
            "constant", "normal", "uniform", "truncated_normal", "variance_scaling", "glorot_normal", "kaiming_uniform"];
        Assert.All(names, name => Assert.True(InitializerCatalog.ByKind.ContainsKey(name), name));
    }

    [Fact]
    public void WrongNamesAndSettingsAreSaid()
    {
        Assert.StartsWith("'xavier' is no initializer; known are constant, delta_orthogonal, ", Assert.Throws<GraphException>(() => InitializerCatalog.Create("xavier")).Message);
        Assert.Equal("initializer zeros: it has no gain; only orthogonal, delta_orthogonal, identity and those that scale by fan have one",
            Assert.Throws<GraphException>(() => InitializerCatalog.Create("zeros", gain: 1)).Message);
        Assert.Equal("initializer orthogonal: it has no fan mode; only those that scale by fan have one",
            Assert.Throws<GraphException>(() => InitializerCatalog.Create("orthogonal", mode: FanMode.In)).Message);
        Assert.Equal("initializer he_normal: gain is -1; it must be greater than 0 and finite",
            Assert.Throws<GraphException>(() => InitializerCatalog.Create("he_normal", gain: -1)).Message);
    }

    [Xunit.Theory]
    [InlineData(-2, 2)]
    [InlineData(3, 5)]
    [InlineData(-0.1, 0.2)]
    [InlineData(-9, -4)]
    [InlineData(-1, double.PositiveInfinity)]
    public void ATruncatedNormalHasTheMomentsItClaims(double low, double high)
    {
        TruncatedNormalInitializer initializer = new(0.5, 2, low, high);
        (double mean, double variance) = Integrate(low, high);
        Assert.Equal(0.5 + 2 * mean, initializer.Mean, 1e-7);
        Assert.Equal(4 * variance, initializer.Variance(default), 1e-7);
        const int count = 40_000;
        using AlignedMemory<double> memory = new(count);
        initializer.Fill(Shape.Of(count), new RandomKey(1, 2, 3), memory.Buffer);
        double[] sample = memory.Buffer.Span.ToArray();
        double deviation = 2 * Math.Sqrt(variance);
        Assert.Equal(initializer.Mean, sample.Average(), 6 * deviation / Math.Sqrt(count));
        Assert.Equal(1, Math.Sqrt(sample.Average(x => (x - initializer.Mean) * (x - initializer.Mean))) / deviation, 0.05);
        Assert.InRange(sample.Min(), 0.5 + 2 * low, double.PositiveInfinity);
        Assert.InRange(sample.Max(), double.NegativeInfinity, 0.5 + 2 * high);
    }

    [Fact]
    public void AnOrthogonalKernelHasTheVarianceItClaims()
    {
        Shape shape = Shape.Of(8, 3, 3, 3);
        using AlignedMemory<double> memory = new(216);
        new Orthogonal(1.5).Fill(shape, new RandomKey(1, 2, 3), memory.Buffer);
        // The mean square of a matrix with orthonormal rows is exact.
        Assert.Equal(memory.Buffer.Span.ToArray().Average(x => x * x), new Orthogonal(1.5).Variance(Fans.Of(shape)), 1e-12);
    }

    /// <summary>Xiao et al. 2018: all but the centre of the kernel is 0, and there WᵀW = gain².</summary>
    [Xunit.Theory]
    [InlineData(3, 3)]
    [InlineData(1, 4)]
    [InlineData(5, 1)]
    public void ADeltaOrthogonalKernelKeepsTheNormOfAnImage(int height, int width)
    {
        Shape shape = Shape.Of(7, 4, height, width);
        using AlignedMemory<double> memory = new(7 * 4 * height * width);
        new DeltaOrthogonal(1.5).Fill(shape, new RandomKey(1, 2, 3), memory.Buffer);
        double[] w = memory.Buffer.Span.ToArray();
        int kernel = height * width, centre = height / 2 * width + width / 2;
        for (int i = 0; i < w.Length; i++)
        {
            Assert.True(i % kernel == centre || w[i] == 0);
        }
        for (int a = 0; a < 4; a++)
        {
            for (int b = 0; b < 4; b++)
            {
                double dot = Enumerable.Range(0, 7).Sum(o => w[(o * 4 + a) * kernel + centre] * w[(o * 4 + b) * kernel + centre]);
                Assert.Equal(a == b ? 2.25 : 0, dot, 1e-12);
            }
        }
        Assert.Equal(w.Average(x => x * x), new DeltaOrthogonal(1.5).Variance(Fans.Of(shape)), 1e-12);
        Assert.Equal("w (parameter): expected a weight (out, in, kernel…) with as many outputs as inputs or more, which the initializer delta_orthogonal needs, given shape (3, 4)",
            Assert.Throws<GraphException>(() => new GraphBuilder().Parameter("w", Shape.Of(3, 4), new DeltaOrthogonal())).Message);
    }

    [Fact]
    public void AnIdentityPassesItsInputOn()
    {
        using AlignedMemory<float> memory = new(2 * 3 * 3);
        new IdentityInitializer(0.5).Fill(Shape.Of(2, 3), new RandomKey(1, 2, 3), memory.Buffer.Slice(0, 6));
        Assert.Equal([0.5f, 0, 0, 0, 0.5f, 0], memory.Buffer.Span[..6].ToArray());
        new IdentityInitializer().Fill(Shape.Of(3, 2, 3), new RandomKey(1, 2, 3), memory.Buffer);
        Assert.Equal([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], memory.Buffer.Span.ToArray());
        Assert.Equal(2.0 / 18, new IdentityInitializer().Variance(Fans.Of(Shape.Of(3, 2, 3))), 1e-12);
        Assert.StartsWith("b (parameter): expected a weight (out, in, kernel…)", Assert.Throws<GraphException>(() => new GraphBuilder().Parameter("b", Shape.Of(3), new IdentityInitializer())).Message);
    }

    /// <summary>The numbers of PyTorch's torch.nn.init.calculate_gain.</summary>
    [Xunit.Theory]
    [InlineData("linear", 1)]
    [InlineData("conv2d", 1)]
    [InlineData("sigmoid", 1)]
    [InlineData("tanh", 1.6666666666666667)]
    [InlineData("relu", 1.4142135623730951)]
    [InlineData("leaky_relu", 1.4141428569978354)]
    [InlineData("selu", 0.75)]
    public void GainsAreNamedByActivations(string activation, double gain)
    {
        Assert.Equal(gain, ActivationGain.Of(activation), 1e-15);
        Assert.Contains(activation, ActivationGain.Names);
        Assert.Equal(1.3867504905630728, ActivationGain.Of("leaky_relu", 0.2), 1e-15);
        Assert.StartsWith("no gain is known for 'rely'; it must be a number or one of ", Assert.Throws<GraphException>(() => ActivationGain.Of("rely")).Message);
    }

    [Fact]
    public void TheSameKeyGivesTheSameNumbers()
    {
        foreach (Initializer initializer in InitializerCatalog.ByKind.Values)
        {
            Assert.Equal(Draw(initializer, 1), Draw(initializer, 1));
            Assert.Equal(initializer is ConstantInitializer or IdentityInitializer or ForgetGateBias, Draw(initializer, 1).SequenceEqual(Draw(initializer, 2)));
        }
    }

    private static float[] Draw(Initializer initializer, ulong seed)
    {
        using AlignedMemory<float> memory = new(48);
        initializer.Fill(Shape.Of(12, 4), new RandomKey(seed, 1, 0), memory.Buffer);
        return memory.Buffer.Span.ToArray();
    }

    /// <summary>Mean and variance of a standard normal between two bounds, by the midpoint rule.</summary>
    private static (double Mean, double Variance) Integrate(double low, double high)
    {
        const int steps = 400_000;
        double end = Math.Min(high, 12);
        double mass = 0, first = 0, second = 0;
        for (int i = 0; i < steps; i++)
        {
            double z = low + (end - low) * (i + 0.5) / steps;
            double density = Math.Exp((low > 0 ? low * low : high < 0 ? high * high : 0) / 2 - z * z / 2);
            mass += density;
            first += density * z;
            second += density * z * z;
        }
        double mean = first / mass;
        return (mean, second / mass - mean * mean);
    }
}
