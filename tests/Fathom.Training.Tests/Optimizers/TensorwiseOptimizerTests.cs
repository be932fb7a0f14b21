using Fathom.Compute;
using Fathom.Testing.Reference.Runners;
using Fathom.Training.Execution;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Optimizers;

/// <summary>Rules that look at whole tensors, against loops written from the papers' equations.</summary>
public sealed class TensorwiseOptimizerTests
{
    private const int Steps = 7;

    /// <summary>A matrix of several pieces, one that stays 0 at first, a bias.</summary>
    private static readonly int[][] Shapes = [[70, 61], [2, 3], [5]];

    private delegate void Rule(double[] w, double[] g, bool vector, int step, double rate);

    [Fact]
    public void StableAdamWDividesTheRateByTheGradientsSizeAgainstItsHistory()
    {
        StableAdamW optimizer = new(Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-3, WeightDecay: 0.1);
        Dictionary<int, (double[] M, double[] V)> states = [];
        bool reduced = false;
        Compare(optimizer, (w, g, vector, t, rate) =>
        {
            (double[] m, double[] v) = states.TryGetValue(w.Length, out (double[], double[]) old) ? old : (new double[w.Length], new double[w.Length]);
            states[w.Length] = (m, v);
            // Algorithm 2 corrects the decays, not the averages.
            double beta1 = 0.8 * (1 - Math.Pow(0.8, t - 1)) / (1 - Math.Pow(0.8, t));
            double beta2 = 0.95 * (1 - Math.Pow(0.95, t - 1)) / (1 - Math.Pow(0.95, t));
            double sum = 0;
            for (int i = 0; i < w.Length; i++)
            {
                m[i] = beta1 * m[i] + (1 - beta1) * g[i];
                v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
                sum += g[i] * g[i] / Math.Max(v[i], 1e-6);
            }
            double eta = rate / Math.Max(1, Math.Sqrt(sum / w.Length));
            reduced |= eta < rate;
            for (int i = 0; i < w.Length; i++)
            {
                w[i] = w[i] - eta * 0.1 * w[i] - eta * m[i] / (Math.Sqrt(v[i]) + 1e-3);
            }
        });
        Assert.True(reduced);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LarsMovesATensorByAShareOfItsNorm(bool excludes)
    {
        Lars optimizer = new(Momentum: 0.7, WeightDecay: 0.01, Trust: 0.02, ExcludeVectors: excludes);
        Dictionary<int, double[]> velocities = [];
        Compare(optimizer, (w, g, vector, t, rate) =>
        {
            double[] v = velocities.TryGetValue(w.Length, out double[]? old) ? old : velocities[w.Length] = new double[w.Length];
            bool plain = excludes && vector;
            double decay = plain ? 0 : 0.01;
            double ratio = plain || Norm(w) == 0 || Norm(g) == 0 ? 1 : 0.02 * Norm(w) / (Norm(g) + decay * Norm(w));
            for (int i = 0; i < w.Length; i++)
            {
                v[i] = 0.7 * v[i] + rate * ratio * (g[i] + decay * w[i]);
            }
            for (int i = 0; i < w.Length; i++)
            {
                w[i] -= v[i];
            }
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LambScalesAdamsDirectionToTheNormOfTheWeights(bool excludes)
    {
        Lamb optimizer = new(Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-4, WeightDecay: 0.05, ExcludeVectors: excludes);
        Dictionary<int, (double[] M, double[] V)> states = [];
        Compare(optimizer, (w, g, vector, t, rate) =>
        {
            (double[] m, double[] v) = states.TryGetValue(w.Length, out (double[], double[]) old) ? old : (new double[w.Length], new double[w.Length]);
            states[w.Length] = (m, v);
            bool plain = excludes && vector;
            double[] u = new double[w.Length];
            for (int i = 0; i < w.Length; i++)
            {
                m[i] = 0.8 * m[i] + 0.2 * g[i];
                v[i] = 0.9 * v[i] + 0.1 * g[i] * g[i];
                u[i] = m[i] / (1 - Math.Pow(0.8, t)) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.9, t))) + 1e-4) + (plain ? 0 : 0.05 * w[i]);
            }
            double ratio = plain || Norm(w) == 0 || Norm(u) == 0 ? 1 : Norm(w) / Norm(u);
            for (int i = 0; i < w.Length; i++)
            {
                w[i] -= rate * ratio * u[i];
            }
        });
    }

    [Fact]
    public void AGradientThatIsNoNumberShows()
    {
        foreach (Optimizer optimizer in new Optimizer[] { new StableAdamW(), new Lars(), new Lamb(), new Lion() })
        {
            using ParameterStore<float> store = ParameterTensors.Store<float>([2, 20]);
            using OptimizerState<float> state = new(store, optimizer);
            store.Value(store.Slices[0]).Span.Fill(1);
            store.Gradient(store.Slices[0]).Span[3] = float.NaN;
            state.Step(optimizer, 0.1, 1, new UpdateSize[1], WorkerPool.Single);
            Assert.True(float.IsNaN(store.Value(store.Slices[0]).Span[3]), optimizer.Kind);
        }
    }

    private static void Compare(Optimizer optimizer, Rule rule)
    {
        using ParameterStore<double> store = ParameterTensors.Store<double>(Shapes);
        using OptimizerState<double> state = new(store, optimizer);
        double[][] expected = new double[Shapes.Length][];
        for (int p = 0; p < Shapes.Length; p++)
        {
            expected[p] = [.. Enumerable.Range(0, store.Slices[p].Length).Select(i => p == 1 ? 0 : Math.Sin(0.37 * i + p))];
            expected[p].CopyTo(store.Value(store.Slices[p]).Span);
        }
        UpdateSize[] updates = new UpdateSize[Shapes.Length];
        for (int step = 1; step <= Steps; step++)
        {
            double rate = step < 4 ? 0.02 : 0.005;
            for (int p = 0; p < Shapes.Length; p++)
            {
                double[] g = Gradient(expected[p].Length, p, step);
                g.CopyTo(store.Gradient(store.Slices[p]).Span);
                rule(expected[p], g, Shapes[p].Length == 1, step, rate);
            }
            state.Step(optimizer, rate, step, updates, WorkerPool.Single);
            for (int p = 0; p < Shapes.Length; p++)
            {
                for (int i = 0; i < expected[p].Length; i++)
                {
                    Assert.Equal(expected[p][i], store.Value(store.Slices[p]).Span[i], 1e-12);
                }
            }
        }
    }

    /// <summary>Grows tenfold at step 5; that of the second tensor is 0 in step 2.</summary>
    private static double[] Gradient(int length, int parameter, int step) =>
        [.. Enumerable.Range(0, length).Select(i => parameter == 1 && step == 2 ? 0 : (step >= 5 ? 1 : 0.1) * Math.Cos(0.9 * i + 1.3 * step + parameter))];

    private static double Norm(double[] x) => Math.Sqrt(x.Sum(element => element * element));
}
