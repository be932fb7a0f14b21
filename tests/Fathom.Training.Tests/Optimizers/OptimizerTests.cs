using Fathom.Compute;
using Fathom.Testing.Reference.Runners;
using Fathom.Training.Execution;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Optimizers;

public sealed class OptimizerTests
{
    /// <summary>x² of 1e20 is infinite in float32, a thousandth of it is not; PyTorch's Adam moves on.</summary>
    [Fact]
    public void AHugeGradientDoesNotStopAParameterForGood()
    {
        foreach (Optimizer optimizer in (Optimizer[])[new Adam(0.1), new Adam(0.1, Amsgrad: true), new AdamW(0.1, WeightDecay: 0), new KerasAdam(0.1)])
        {
            using ParameterStore<float> store = ParameterTensors.Store<float>([[1]]);
            using OptimizerState<float> state = new(store, optimizer);
            store.Gradient(store.Slices[0]).Span[0] = 1e20f;
            state.Step(optimizer, 0.1, 1, new UpdateSize[1], WorkerPool.Single);
            Assert.Equal(-0.1, store.Value(store.Slices[0]).Span[0], 1e-6);
        }
    }

    /// <summary>In steps denormals are flushed, where the runtime's own maximum may lose NaNs.</summary>
    [Fact]
    public void AGradientThatIsNoNumberShowsWhereverAMaximumIsTaken()
    {
        using FlushToZero flush = FlushToZero.Begin();
        foreach (Optimizer optimizer in (Optimizer[])[new Adam(Amsgrad: true), new AdamW(Amsgrad: true), new KerasAdam(Amsgrad: true), new Adamax(), new KerasAdamax(), new RmsProp(Centered: true), new KerasRmsProp(Centered: true), new StableAdamW()])
        {
            using ParameterStore<float> store = ParameterTensors.Store<float>([37]);
            using OptimizerState<float> state = new(store, optimizer);
            store.Gradients.Span.Fill(0.1f);
            store.Gradients.Span[35] = float.NaN;
            state.Step(optimizer, 1e-3, 1, new UpdateSize[1], WorkerPool.Single);
            Assert.True(float.IsNaN(store.Values.Span[35]), $"{optimizer.Kind}: {store.Values.Span[35]}");
        }
    }

    [Fact]
    public void KerasRmsPropHasEpsilonWithinTheRootAndTheRateWithinTheMomentum()
    {
        KerasRmsProp optimizer = new(0.01, Rho: 0.8, Momentum: 0.5, Epsilon: 1e-3, Centered: true, WeightDecay: 0.1);
        double p = 0.7, v = 0, mean = 0, m = 0;
        double[] expected = new double[6];
        for (int i = 0; i < expected.Length; i++)
        {
            double g = Gradient(i), rate = Rate(i);
            p -= p * 0.1 * rate;
            v = 0.8 * v + 0.2 * g * g;
            mean = 0.8 * mean + 0.2 * g;
            m = 0.5 * m + rate * g / Math.Sqrt(v - mean * mean + 1e-3);
            p -= m;
            expected[i] = p;
        }
        AssertEqual(expected, Walk(optimizer, 0.7, expected.Length));
    }

    [Fact]
    public void KerasAdagradStartsAboveZero()
    {
        double p = 0.7, sum = 0.1;
        double[] expected = new double[6];
        for (int i = 0; i < expected.Length; i++)
        {
            double g = Gradient(i);
            sum += g * g;
            p -= Rate(i) * g / Math.Sqrt(sum + 1e-7);
            expected[i] = p;
        }
        AssertEqual(expected, Walk(new KerasAdagrad(), 0.7, expected.Length));
    }

    [Fact]
    public void CenteredRmsPropSurvivesAConstantGradient()
    {
        RmsProp optimizer = new(Centered: true, Alpha: 0.5);
        using ParameterStore<float> store = ParameterTensors.Store<float>([9]);
        using OptimizerState<float> state = new(store, optimizer);
        for (int i = 0; i < 9; i++)
        {
            store.Gradients.Span[i] = 0.1f + 0.37f * i;
        }
        UpdateSize[] updates = new UpdateSize[1];
        for (int step = 1; step <= 200; step++)
        {
            state.Step(optimizer, 1e-9, step, updates, WorkerPool.Single);
        }
        Assert.False(double.IsNaN(updates[0].L2));
    }

    [Fact]
    public void NadamsProductMayStopEarly()
    {
        Nadam optimizer = new();
        double product = 1;
        for (int i = 1; i <= 2000; i++)
        {
            product *= 0.9 * (1 - 0.5 * Math.Pow(0.96, i * 0.004));
            Assert.Equal(1 - product, 1 - optimizer.NumberForStep(i), 1e-15);
        }
    }

    [Fact]
    public void SettingsOutOfRangeAreNamed()
    {
        AssertRefused("optimizer sgd: learning_rate is 0; it must be greater than 0 and finite", new Sgd(0));
        AssertRefused("optimizer sgd: momentum is 1; it must be at least 0 and below 1", new Sgd(Momentum: 1));
        AssertRefused("optimizer sgd: momentum is 0; it must be greater than 0 with nesterov", new Sgd(Nesterov: true));
        AssertRefused("optimizer adam: learning_rate is NaN; it must be greater than 0 and finite", new Adam(double.NaN));
        AssertRefused("optimizer adamw: beta2 is 1.5; it must be at least 0 and below 1", new AdamW(Beta2: 1.5));
        AssertRefused("optimizer rmsprop: epsilon is -1; it must be 0 or more and finite", new RmsProp(Epsilon: -1));
        AssertRefused("optimizer adadelta: epsilon is 0; it must be greater than 0 and finite", new Adadelta(Epsilon: 0));
        foreach (Optimizer optimizer in OptimizerCatalog.ByKind.Values)
        {
            optimizer.Validate();
        }
    }

    private static double Gradient(int step) => Math.Cos(1.7 * step) + 0.3;

    private static double Rate(int step) => step < 3 ? 0.01 : 0.002;

    private static double[] Walk(Optimizer optimizer, double start, int steps)
    {
        using ParameterStore<double> store = ParameterTensors.Store<double>([3]);
        using OptimizerState<double> state = new(store, optimizer);
        Span<double> values = store.Value(store.Slices[0]);
        values.Fill(start);
        double[] seen = new double[steps];
        UpdateSize[] updates = new UpdateSize[1];
        for (int i = 0; i < steps; i++)
        {
            store.Gradient(store.Slices[0]).Span.Fill(Gradient(i));
            state.Step(optimizer, Rate(i), i + 1, updates, WorkerPool.Single);
            seen[i] = values[2];
        }
        return seen;
    }

    private static void AssertEqual(double[] expected, double[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-12);
        }
    }

    private static void AssertRefused(string message, Optimizer optimizer) =>
        Assert.Equal(message, Assert.Throws<TrainingException>(optimizer.Validate).Message);
}
