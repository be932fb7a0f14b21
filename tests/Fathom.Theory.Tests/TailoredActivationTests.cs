using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>The tailored functions as mean-field theory sees them, by its own quadrature.</summary>
public sealed class TailoredActivationTests
{
    [Xunit.Theory, InlineData(20), InlineData(100), InlineData(1000)]
    public void LeakyReluIsCriticalAtUnitWeightVariance(int depth)
    {
        MeanField field = new(new TailoredLeakyRelu(depth));
        Assert.Equal(1, field.V(1), 1e-9);
        Assert.Equal(1, field.SlopeMoment(1), 1e-9);
        Assert.Equal(ActivationTailoring.LeakyReluMap(new TailoredLeakyRelu(depth).SlopeBelow, 0.3), field.NextCorrelation(1, 0.3, 1, 0), 1e-6);
    }

    [Xunit.Theory, InlineData(5), InlineData(100)]
    public void TanhKeepsLengthsAndTheirDeviations(int depth)
    {
        MeanField field = new(new TailoredTanh(depth));
        Assert.Equal(0, field.Mean(1), 1e-9);
        Assert.Equal(1, field.V(1), 1e-9);
        Assert.Equal(1, field.ChiLength(1, 1), 1e-7);
        Assert.Equal(1.5, Math.Pow(field.SlopeMoment(1), depth), 1e-6);
        Assert.Equal(0, field.NextCorrelation(1, 0, 1, 0), 1e-6);
    }
}
