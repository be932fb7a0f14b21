using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class RReluTests
{
    [Xunit.Theory, InlineData(true), InlineData(false)]
    public void GradientIsTheDerivative(bool training) => OpRun.CheckGradient(new RRelu(), training, [[5, 9]]);

    [Fact]
    public void SlopesAreDrawnInTrainingAndAveragedInEvaluation()
    {
        float[] minusOnes = [.. Enumerable.Repeat(-1f, 10_000)];
        float[] y = Run(training: true);
        Assert.All(y, value => Assert.InRange(value, -0.4f, -0.2f));
        Assert.Equal(-0.3, y.Average(), 0.004); // six standard deviations are 0.0035
        Assert.All(Run(training: false), value => Assert.Equal(-0.3f, value, 1e-7f));

        float[] Run(bool training)
        {
            GraphRun<float> run = new() { Training = training };
            run.Output("y", run.Builder.Add("op", new RRelu(0.2, 0.4), [run.Real("x", [100, 100], minusOnes)]));
            run.Execute();
            return run.Results["y"];
        }
    }

    [Fact]
    public void BoundsInTheWrongOrderAreNamed() =>
        Assert.Equal("layer (rrelu): lower is 0.5; it must be at most upper, which is 0.25", OpRun.ErrorOf(new RRelu(0.5, 0.25), Shape.OfSamples(3)));
}
