using Fathom.Compute;
using Fathom.Testing.Reference.Runners;
using Fathom.Training.Execution;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Optimizers;

/// <summary>Keras' own forms of the rules, against loops written from its documentation; and Lion.</summary>
public sealed class KerasOptimizerTests
{
    private const int Steps = 8;

    [Fact]
    public void AdamWHasTheCorrectionInTheRate()
    {
        double m = 0, v = 0;
        Compare(new KerasAdamW(), 0.004, (g, t, rate) =>
        {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            return rate * Math.Sqrt(1 - Math.Pow(0.999, t)) / (1 - Math.Pow(0.9, t)) * m / (Math.Sqrt(v) + 1e-7);
        });
    }

    [Fact]
    public void AdamaxAddsEpsilonToTheDivisor()
    {
        double m = 0, u = 0;
        Compare(new KerasAdamax(Epsilon: 0.01, WeightDecay: 0.1), 0.1, (g, t, rate) =>
        {
            m = 0.9 * m + 0.1 * g;
            u = Math.Max(0.999 * u, Math.Abs(g));
            return rate / (1 - Math.Pow(0.9, t)) * m / (u + 0.01);
        });
    }

    [Fact]
    public void NadamsMomentumWarmsUpWithTheStep()
    {
        double m = 0, v = 0, product = 1;
        Compare(new KerasNadam(WeightDecay: 0.1), 0.1, (g, t, rate) =>
        {
            double now = 0.9 * (1 - 0.5 * Math.Pow(0.96, t));
            double next = 0.9 * (1 - 0.5 * Math.Pow(0.96, t + 1));
            product *= now;
            m += (g - m) * 0.1;
            v += (g * g - v) * 0.001;
            double direction = next * m / (1 - product * next) + (1 - now) * g / (1 - product);
            return rate * direction / (Math.Sqrt(v / (1 - Math.Pow(0.999, t))) + 1e-7);
        });
    }

    [Fact]
    public void AdadeltaHasKerasDefaults()
    {
        double squares = 0, changes = 0;
        Compare(new KerasAdadelta(WeightDecay: 0.1), 0.1, (g, t, rate) =>
        {
            squares = 0.95 * squares + 0.05 * g * g;
            double delta = Math.Sqrt(changes + 1e-7) / Math.Sqrt(squares + 1e-7) * g;
            changes = 0.95 * changes + 0.05 * delta * delta;
            return rate * delta;
        });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    public void LionGoesByTheSignAlone(double decay)
    {
        foreach (Optimizer optimizer in new Optimizer[] { new KerasLion(WeightDecay: decay), new Lion(WeightDecay: decay) })
        {
            double m = 0;
            Compare(optimizer, decay, (g, t, rate) =>
            {
                double direction = Math.Sign(0.9 * m + 0.1 * g);
                m = 0.99 * m + 0.01 * g;
                return rate * direction;
            });
        }
    }

    [Fact]
    public void DefaultsAreKeras()
    {
        Assert.Equal((0.001, 0.001, 0.001, 0.001, 0.001), (new KerasAdamW().LearningRate, new KerasAdamax().LearningRate, new KerasNadam().LearningRate,
            new KerasAdadelta().LearningRate, new KerasLion().LearningRate));
        Assert.Equal((1e-7, 1e-7, 1e-7, 1e-7), (new KerasAdamW().Epsilon, new KerasAdamax().Epsilon, new KerasNadam().Epsilon, new KerasAdadelta().Epsilon));
    }

    /// <summary>The step that a rule takes off the parameter after Keras' decay.</summary>
    private static void Compare(Optimizer optimizer, double decay, Func<double, int, double, double> step)
    {
        using ParameterStore<double> store = ParameterTensors.Store<double>([19]);
        using OptimizerState<double> state = new(store, optimizer);
        store.Value(store.Slices[0]).Span.Fill(0.7);
        double p = 0.7;
        for (int t = 1; t <= Steps; t++)
        {
            double g = t == 1 ? 0 : Math.Cos(1.7 * t) + 0.3;
            double rate = t < 4 ? 0.01 : 0.002;
            store.Gradient(store.Slices[0]).Span.Fill(g);
            state.Step(optimizer, rate, t, new UpdateSize[1], WorkerPool.Single);
            p -= p * decay * rate;
            p -= step(g, t, rate);
            Assert.Equal(p, store.Value(store.Slices[0]).Span[0], 1e-12);
            Assert.Equal(p, store.Value(store.Slices[0]).Span[18], 1e-12);
        }
    }
}
