using Fathom.Testing.Reference.Runners;
using Fathom.Training.Clipping;
using Fathom.Training.Execution;

namespace Fathom.Training.Tests.Clipping;

/// <summary>Rules that remember, against loops written from the papers.</summary>
public sealed class ClippingStateTests
{
    [Theory]
    [InlineData(10, 1000)]
    [InlineData(10, 7)]
    [InlineData(50, 1)]
    [InlineData(90, 12)]
    [InlineData(0, 5)]
    [InlineData(100, 5)]
    public void AutoClipClipsAtAPercentileOfTheLastNorms(double percentile, int window)
    {
        AutoClip clipping = new(percentile, window);
        List<double> history = [];
        int clipped = 0;
        Follow(clipping, 40, (norms, step) =>
        {
            double norm = Global(norms);
            history.Add(norm);
            double[] sorted = [.. history.TakeLast(window).Order()];
            double position = percentile / 100 * (sorted.Length - 1);
            int below = (int)Math.Floor(position);
            int above = Math.Min(below + 1, sorted.Length - 1);
            double limit = sorted[below] + (position - below) * (sorted[above] - sorted[below]);
            clipped += norm > limit ? 1 : 0;
            return [.. norms.Select(each => each * Math.Min(1, limit / norm))];
        });
        Assert.True(percentile == 100 || window == 1 ? clipped == 0 : clipped > 0);
    }

    [Fact]
    public void ZClipClipsSpikesAlone()
    {
        ZClip clipping = new(Threshold: 1.5, Alpha: 0.9, Warmup: 6);
        List<double> first = [];
        double mean = 0, variance = 0;
        int clipped = 0;
        Follow(clipping, 40, (norms, step) =>
        {
            double norm = Global(norms);
            if (first.Count < 6)
            {
                first.Add(norm);
                mean = first.Average();
                variance = first.Average(each => (each - mean) * (each - mean));
                return norms;
            }
            double z = (norm - mean) / Math.Sqrt(variance);
            double applied = z > 1.5 ? mean + 1.5 * Math.Sqrt(variance) / (z / 1.5) : norm;
            clipped += z > 1.5 ? 1 : 0;
            mean = 0.9 * mean + 0.1 * applied;
            variance = 0.9 * variance + 0.1 * (applied - mean) * (applied - mean);
            return [.. norms.Select(each => each * applied / norm)];
        });
        Assert.InRange(clipped, 1, 20);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void AdaGcClipsEachParameterAgainstItsOwnPast(int warmup)
    {
        AdaGc clipping = new(Relative: 1.1, Beta: 0.8, Warmup: warmup, MaxNorm: 0.9);
        double[]? past = null;
        int clipped = 0;
        Follow(clipping, 40, (norms, step) =>
        {
            double[] result = [.. norms];
            if (step < warmup)
            {
                double scale = Math.Min(1, 0.9 / Global(norms));
                result = [.. norms.Select(norm => norm * scale)];
                past = past is null ? result : [.. past.Zip(result, Math.Min)];
                return result;
            }
            if (past is null)
            {
                past = result;
                return result;
            }
            for (int i = 0; i < norms.Length; i++)
            {
                double scale = Math.Min(1, 1.1 * past[i] / norms[i]);
                clipped += scale < 1 ? 1 : 0;
                result[i] = scale * norms[i];
                past[i] = 0.8 * past[i] + 0.2 * result[i];
            }
            return result;
        });
        Assert.True(clipped > 0);
    }

    [Fact]
    public void AdaGcDoesNotHoldAParameterAtZero()
    {
        AdaGc clipping = new(Warmup: 2);
        using ParameterStore<double> store = ParameterTensors.Store<double>([2], [2]);
        double[] state = new double[clipping.StateLength(store.Slices)];
        foreach (double second in new[] { 0, 0, 0, 0.5 })
        {
            store.Gradient(store.Slices[0]).Span.Fill(0.1);
            store.Gradient(store.Slices[1]).Span.Fill(second);
            clipping.Apply(store, GradientNorm.Of(store), state);
            Assert.Equal(second, store.Gradient(store.Slices[1]).Span[0]);
        }
    }

    [Fact]
    public void ANormThatIsNoNumberIsNotRemembered()
    {
        foreach (GradientClipping clipping in new GradientClipping[] { new AutoClip(), new ZClip(Warmup: 2), new AdaGc(Warmup: 2) })
        {
            using ParameterStore<double> store = ParameterTensors.Store<double>([2]);
            double[] state = new double[clipping.StateLength(store.Slices)];
            foreach (double element in new[] { 1, 2, double.NaN, double.PositiveInfinity, 1.5 })
            {
                store.Gradient(store.Slices[0]).Span.Fill(element);
                clipping.Apply(store, GradientNorm.Of(store), state);
                Assert.All(state, number => Assert.True(double.IsFinite(number), clipping.Kind));
                Assert.Equal(double.IsFinite(element), double.IsFinite(store.Gradient(store.Slices[0]).Span[0]));
            }
        }
    }

    [Fact]
    public void SettingsOutOfRangeAreNamed()
    {
        Assert.Equal("clip autoclip: percentile is 101; it must be from 0 to 100", Assert.Throws<TrainingException>(new AutoClip(101).Validate).Message);
        Assert.Equal("clip autoclip: window is 0; it must be 1 to 1000000", Assert.Throws<TrainingException>(new AutoClip(Window: 0).Validate).Message);
        Assert.Equal("clip zclip: warmup is 1; it must be 2 or more", Assert.Throws<TrainingException>(new ZClip(Warmup: 1).Validate).Message);
        Assert.Equal("clip adagc: beta is 1; it must be at least 0 and below 1", Assert.Throws<TrainingException>(new AdaGc(Beta: 1).Validate).Message);
    }

    /// <summary>Feeds gradients whose norms vary, with spikes, and compares each parameter's norm after clipping.</summary>
    private static void Follow(GradientClipping clipping, int steps, Func<double[], int, double[]> expected)
    {
        clipping.Validate();
        using ParameterStore<double> store = ParameterTensors.Store<double>([3], [4, 5]);
        double[] state = new double[clipping.StateLength(store.Slices)];
        for (int step = 0; step < steps; step++)
        {
            double scale = (step % 11 == 10 ? 8 : 1) * (1 + 0.3 * Math.Sin(2.1 * step)) / (1 + 0.02 * step);
            for (int p = 0; p < 2; p++)
            {
                Span<double> gradient = store.Gradient(store.Slices[p]);
                for (int i = 0; i < gradient.Length; i++)
                {
                    gradient[i] = scale * (1 + 0.2 * Math.Cos(step * (p + 1))) * Math.Cos(i + p);
                }
            }
            double[] before = Norms(store);
            clipping.Apply(store, GradientNorm.Of(store), state);
            double[] after = Norms(store);
            double[] wanted = expected(before, step);
            Assert.Equal(wanted[0], after[0], 1e-12);
            Assert.Equal(wanted[1], after[1], 1e-12);
        }
    }

    private static double[] Norms(ParameterStore<double> store) => [.. store.Slices.Select(slice => GradientNorm.Of<double>(store.Gradient(slice)))];

    private static double Global(double[] norms) => Math.Sqrt(norms.Sum(norm => norm * norm));
}
