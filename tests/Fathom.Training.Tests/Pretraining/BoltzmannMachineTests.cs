using Fathom.Compute;
using Fathom.Training.Pretraining;

namespace Fathom.Training.Tests.Pretraining;

/// <summary>The machine against the exact gradient of its log-likelihood, by summing over all states of a tiny one.</summary>
public sealed class BoltzmannMachineTests
{
    private const int Visible = 4, Hidden = 3;

    private static readonly double[][] Data = [[1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 1, 1], [1, 1, 0, 1]];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ManyGibbsStepsGiveTheLikelihoodsGradient(bool gaussian)
    {
        using Tiny tiny = new(gaussian, rows: 20_000);
        tiny.Machine.Estimate(tiny.Batch, 40, persistent: false, new RandomKey(1, 2, 3));
        // Six standard errors of a mean over 20,000 states: 6 · ½ / √20,000 for bits; Gaussian units vary more.
        Assert.InRange(tiny.Distance(Exact(tiny, gaussian)), 0, gaussian ? 0.1 : 0.022);
        Assert.InRange(Exact(tiny, gaussian).Max(Math.Abs), 0.1, double.PositiveInfinity);
    }

    /// <summary>One step from the data is biased; chains that go on lose the data.</summary>
    [Fact]
    public void PersistentChainsReachTheModelOneStepAtATime()
    {
        using Tiny once = new(false, rows: 20_000);
        using Tiny again = new(false, rows: 20_000);
        double[] exact = Exact(once, false);
        for (ulong step = 0; step < 40; step++)
        {
            again.Machine.Estimate(again.Batch, 1, persistent: true, new RandomKey(1, 2, step));
        }
        once.Machine.Estimate(once.Batch, 1, persistent: false, new RandomKey(1, 2, 0));
        Assert.InRange(again.Distance(exact), 0, 0.022);
        Assert.InRange(once.Distance(exact), 0.03, double.PositiveInfinity);
    }

    [Fact]
    public void AChainGoesOnWhereItStopped()
    {
        using Tiny tiny = new(false, rows: 8);
        tiny.Machine.Estimate(tiny.Batch, 1, persistent: true, new RandomKey(1, 2, 0));
        double[] first = tiny.Machine.Chains.ToArray();
        tiny.Machine.Estimate(tiny.Batch, 1, persistent: false, new RandomKey(1, 2, 1));
        Assert.Equal(first, tiny.Machine.Chains.ToArray());
        // However few rows the batch has, all chains move.
        tiny.Machine.Estimate(tiny.Batch.AsSpan(0, 2 * Visible), 1, persistent: true, new RandomKey(1, 2, 1));
        Assert.NotEqual(first, tiny.Machine.Chains.ToArray());
        Assert.All(tiny.Machine.Chains.ToArray(), state => Assert.True(state is 0 or 1));
    }

    [Fact]
    public void AnUpdateHasMomentumAndDecaysWeightsAlone()
    {
        using Tiny tiny = new(false, rows: 8);
        double weight = tiny.Machine.Weight.Span[0], bias = tiny.Machine.HiddenBias.Span[1], visible = tiny.Machine.VisibleBias.Span[2];
        tiny.Machine.Estimate(tiny.Batch, 1, persistent: false, new RandomKey(1, 2, 0));
        (double g, double h, double v) = (tiny.Machine.Gradient.Weight.Span[0], tiny.Machine.Gradient.HiddenBias.Span[1], tiny.Machine.Gradient.VisibleBias.Span[2]);
        tiny.Machine.Update(0.1, 0.9, 0.01);
        double velocity = 0.1 * (g - 0.01 * weight);
        Assert.Equal(weight + velocity, tiny.Machine.Weight.Span[0], 1e-14);
        Assert.Equal(bias + 0.1 * h, tiny.Machine.HiddenBias.Span[1], 1e-14);
        Assert.Equal(visible + 0.1 * v, tiny.Machine.VisibleBias.Span[2], 1e-14);
        double between = tiny.Machine.Weight.Span[0];
        tiny.Machine.Gradient.Weight.Span.Clear();
        tiny.Machine.Update(0.1, 0.9, 0);
        Assert.Equal(between + 0.9 * velocity, tiny.Machine.Weight.Span[0], 1e-14);
    }

    /// <summary>∂ mean log p(v) / ∂(W, c, a) with p(v) = Σ_h e^−E(v, h) / Z, written straight from the definition.</summary>
    private static double[] Exact(Tiny tiny, bool gaussian)
    {
        double[] model = new double[Hidden * Visible + Hidden + Visible], data = new double[model.Length];
        double z = 0;
        foreach (double[] h in States(Hidden))
        {
            double[] drive = [.. Enumerable.Range(0, Visible).Select(j => tiny.A[j] + Enumerable.Range(0, Hidden).Sum(i => h[i] * tiny.W[i, j]))];
            double field = Enumerable.Range(0, Hidden).Sum(i => h[i] * tiny.C[i]);
            if (gaussian)
            {
                // ∫ exp(−½‖v − a‖² + hᵀWv) dv ∝ exp(½‖drive‖² − ½‖a‖²), with the mean at the drive.
                Add(model, h, drive, Math.Exp(field + drive.Sum(x => x * x / 2)), ref z);
                continue;
            }
            foreach (double[] v in States(Visible))
            {
                Add(model, h, v, Math.Exp(field + Enumerable.Range(0, Visible).Sum(j => v[j] * drive[j])), ref z);
            }
        }
        double rows = 0;
        foreach (double[] v in Data)
        {
            double[] p = [.. Enumerable.Range(0, Hidden).Select(i => 1 / (1 + Math.Exp(-tiny.C[i] - Enumerable.Range(0, Visible).Sum(j => tiny.W[i, j] * v[j]))))];
            Add(data, p, v, 1, ref rows);
        }
        return [.. data.Zip(model, (seen, expected) => seen / rows - expected / z)];
    }

    private static void Add(double[] sums, double[] h, double[] v, double weight, ref double total)
    {
        for (int i = 0; i < Hidden; i++)
        {
            for (int j = 0; j < Visible; j++)
            {
                sums[i * Visible + j] += weight * h[i] * v[j];
            }
            sums[Hidden * Visible + i] += weight * h[i];
        }
        for (int j = 0; j < Visible; j++)
        {
            sums[Hidden * Visible + Hidden + j] += weight * v[j];
        }
        total += weight;
    }

    private static IEnumerable<double[]> States(int units) =>
        Enumerable.Range(0, 1 << units).Select(bits => Enumerable.Range(0, units).Select(unit => (double)(bits >> unit & 1)).ToArray());

    private sealed class Tiny : IDisposable
    {
        private readonly AlignedMemory<double> memory = new(Hidden * Visible + Hidden);

        public Tiny(bool gaussian, int rows)
        {
            Machine = new BoltzmannMachine<double>(memory.Buffer.Slice(0, Hidden * Visible), memory.Buffer.Slice(Hidden * Visible, Hidden), Visible, Hidden, gaussian, rows, WorkerPool.Single);
            for (int i = 0; i < Hidden; i++)
            {
                for (int j = 0; j < Visible; j++)
                {
                    Machine.Weight.Span[i * Visible + j] = W[i, j];
                }
            }
            C.CopyTo(Machine.HiddenBias.Span);
            A.CopyTo(Machine.VisibleBias.Span);
            Batch = [.. Enumerable.Range(0, rows).SelectMany(row => Data[row % Data.Length])];
        }

        public double[,] W { get; } = { { 0.9, -0.7, 0.2, 0.5 }, { -0.4, 0.8, 0.6, -1.0 }, { 0.3, 0.1, -0.9, 0.7 } };

        public double[] C { get; } = [0.2, -0.3, 0.1];

        public double[] A { get; } = [-0.2, 0.4, 0.1, -0.5];

        public BoltzmannMachine<double> Machine { get; }

        public double[] Batch { get; }

        /// <summary>Largest difference between an estimate and the truth.</summary>
        public double Distance(double[] exact)
        {
            double[] found = [.. Machine.Gradient.Weight.Span, .. Machine.Gradient.HiddenBias.Span, .. Machine.Gradient.VisibleBias.Span];
            return found.Zip(exact, (x, y) => Math.Abs(x - y)).Max();
        }

        public void Dispose()
        {
            Machine.Dispose();
            memory.Dispose();
        }
    }
}
