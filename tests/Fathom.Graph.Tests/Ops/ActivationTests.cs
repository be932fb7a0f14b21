using System.Globalization;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class ActivationTests
{
    private static readonly Activation[] All =
    [
        new Sigmoid(), new Tanh(), new Relu(), new Relu6(), new LeakyRelu(), new LeakyRelu(0.3), new LeakyRelu(-0.5), new Elu(), new Elu(0.5), new Selu(),
        new Gelu(), new Gelu(Approximate: true), new Silu(), new Swish(), new Swish(-1.7), new Softplus(), new Softplus(3, 1.5), new Softsign(), new Mish(),
        new HardTanh(), new HardTanh(-2, 0.5), new HardSigmoid(), new HardSigmoid(0.2), new Erf(), new Linear(),
        new TailoredLeakyRelu(), new TailoredLeakyRelu(3), new TailoredTanh(), new TailoredTanh(1), new TailoredTanh(5000), new TailoredTanh(LayerSlope: 4),
    ];

    public static TheoryData<string> Names => [.. All.Select(NameOf)];

    [Xunit.Theory, MemberData(nameof(Names))]
    public void GradientIsTheDerivative(string name) => OpRun.CheckGradient(Named(name), training: true, [[3, 7]]);

    [Fact]
    public void TheReluFamilyAsksForWiderWeights()
    {
        foreach (Activation activation in All)
        {
            double variance = activation switch
            {
                Relu or Relu6 or Gelu or Silu or Swish or Elu or Softplus or Mish => 2,
                LeakyRelu { NegativeSlope: 0.01 } => 2 / 1.0001,
                LeakyRelu { NegativeSlope: 0.3 } => 2 / 1.09,
                LeakyRelu { NegativeSlope: -0.5 } => 1.6,
                _ => 1,
            };
            Assert.Equal(variance, activation.RecommendedWeightGain * activation.RecommendedWeightGain, 1e-14);
        }
    }

    /// <summary>For functions that are linear on either side of 0 the gain is exact: g² · E[φ(z)²] = 1 for z from N(0, 1).</summary>
    [Xunit.Theory, InlineData("relu"), InlineData("leaky_relu"), InlineData("linear")]
    public void TheGainKeepsTheSecondMomentWherePhiIsPiecewiseLinear(string kind)
    {
        Activation activation = All.First(activation => activation.Kind == kind);
        double moment = 0;
        const double step = 1e-3;
        for (double z = -12; z < 12; z += step)
        {
            double middle = z + step / 2;
            moment += activation.Evaluate(middle) * activation.Evaluate(middle) * Math.Exp(-middle * middle / 2) / Math.Sqrt(2 * Math.PI) * step;
        }
        Assert.Equal(1, activation.RecommendedWeightGain * activation.RecommendedWeightGain * moment, 1e-6);
    }

    [Xunit.Theory, MemberData(nameof(Names))]
    public void KernelIsTheFunctionThatTheoryIntegrates(string name)
    {
        Activation activation = Named(name);
        // Off the kinks by a step that is no multiple of anything; and the kinks themselves, where slopes must agree too.
        double[] x = [.. Enumerable.Range(0, 401).Select(i => -20 + i * 0.1003), .. activation.Kinks, -745, -100, -40, 40, 100, 700];
        (double[] y, double[] slope) = OpRun.Elementwise(activation, x);
        for (int i = 0; i < x.Length; i++)
        {
            Close(activation.Evaluate(x[i]), y[i], 1e-12, 1e-15, name, x[i]);
            Close(activation.Slope(x[i]), slope[i], 1e-11, 1e-14, name, x[i]);
        }
    }

    [Xunit.Theory, MemberData(nameof(Names))]
    public void FloatKernelIsCloseToTheFunction(string name)
    {
        Activation activation = Named(name);
        float[] x = [.. Enumerable.Range(0, 401).Select(i => (float)(-20 + i * 0.1003)), -1e4f, -104, 89, 1e4f];
        (float[] y, float[] slope) = OpRun.Elementwise(activation, x);
        for (int i = 0; i < x.Length; i++)
        {
            Close(activation.Evaluate(x[i]), y[i], 5e-6, 2e-7, name, x[i]);
            Close(activation.Slope(x[i]), slope[i], 2e-5, 1e-6, name, x[i]);
        }
    }

    [Xunit.Theory, MemberData(nameof(Names))]
    public void SlopeIsTheDerivativeOfEvaluate(string name)
    {
        Activation activation = Named(name);
        foreach (double x in OpRun.Data(50, 3, scale: 5))
        {
            double numeric = (activation.Evaluate(x + 1e-5) - activation.Evaluate(x - 1e-5)) / 2e-5;
            Close(numeric, activation.Slope(x), 1e-6, 1e-8, name, x);
        }
    }

    [Xunit.Theory, MemberData(nameof(Names))]
    public void NaNPassesAndLimitsAreNotNaN(string name)
    {
        Activation activation = Named(name);
        (float[] y, float[] slope) = OpRun.Elementwise(activation, [float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0f]);
        Assert.True(float.IsNaN(y[0]), $"{name}: NaN became {y[0]}");
        for (int i = 1; i < 4; i++)
        {
            Assert.False(float.IsNaN(y[i]), $"{name}: y is NaN at special value {i}");
            Assert.False(float.IsNaN(slope[i]), $"{name}: the slope is NaN at special value {i}");
        }
    }

    [Xunit.Theory, MemberData(nameof(Names))]
    public void SaturationBeginsWhereTheSlopeIsSmall(string name)
    {
        Activation activation = Named(name);
        if (activation.Saturation is not { } region)
        {
            return;
        }
        double[] x = [.. Enumerable.Range(-5000, 10001).Select(i => i * 0.0017)];
        double largest = x.Max(activation.Slope);
        foreach (double point in x)
        {
            double y = activation.Evaluate(point);
            double share = activation.Slope(point) / largest;
            // Zeros of clipping functions are counted apart from saturation.
            bool saturated = y <= region.Low || y >= region.High;
            Assert.False(saturated && share > 0.061, string.Create(CultureInfo.InvariantCulture, $"{name}: {y} counts as saturated, but its slope is {share:P1} of the largest"));
            Assert.False(!saturated && y != 0 && share < 0.057, string.Create(CultureInfo.InvariantCulture, $"{name}: {y} does not count as saturated, but its slope is {share:P1} of the largest"));
        }
    }

    [Fact]
    public void VanishingSlopesKeepTheirDigits()
    {
        // At −50 each of these is a few e^−50; a form that subtracts from 1 would give 0.
        foreach (Activation activation in new Activation[] { new Elu(), new Selu(), new Softplus(), new Silu(), new Mish(), new Sigmoid(), new TailoredTanh(2) })
        {
            (_, float[] slope) = OpRun.Elementwise(activation, [-50f]);
            Close(activation.Slope(-50), slope[0], 1e-4, 0, activation.Kind, -50);
        }
    }

    [Fact]
    public void AttributesOutOfRangeAreNamed()
    {
        Assert.Equal("layer (hard_tanh): min is 2; it must be below max, which is 1", OpRun.ErrorOf(new HardTanh(2, 1), Shape.Of(3)));
        Assert.Equal("layer (hard_sigmoid): gradient is 0; it must be above 0", OpRun.ErrorOf(new HardSigmoid(0), Shape.Of(3)));
        Assert.Equal("layer (elu): alpha is -1; it must be 0 or more", OpRun.ErrorOf(new Elu(-1), Shape.Of(3)));
        Assert.Equal("layer (softplus): beta is 0; it must be above 0", OpRun.ErrorOf(new Softplus(0), Shape.Of(3)));
        Assert.Equal("layer (relu): expected 1 input, given 2", OpRun.ErrorOf(new Relu(), Shape.Of(3), Shape.Of(3)));
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        float[] expected = OpRun.Bits(new Gelu(), threads: 1, [1, 50_001]);
        Assert.Equal(expected, OpRun.Bits(new Gelu(), threads: 2, [1, 50_001]));
        Assert.Equal(expected, OpRun.Bits(new Gelu(), threads: 4, [1, 50_001]));
    }

    private static Activation Named(string name) => All.Single(activation => NameOf(activation) == name);

    private static string NameOf(Activation activation) => $"{activation.Kind} {Array.IndexOf(All, activation)}";

    private static void Close(double expected, double given, double relative, double absolute, string name, double x)
    {
        bool close = expected.Equals(given) || Math.Abs(given - expected) <= absolute + relative * Math.Abs(expected);
        Assert.True(close, string.Create(CultureInfo.InvariantCulture, $"{name} at {x:R}: {expected:R} expected, {given:R} given"));
    }
}
