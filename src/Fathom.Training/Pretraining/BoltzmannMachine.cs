using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Training.Pretraining;

/// <summary>What a visible unit is.</summary>
public enum VisibleUnits
{
    /// <summary>Bernoulli for data within [0, 1], otherwise Gaussian.</summary>
    Auto,

    /// <summary>0 or 1; data in between count as probabilities.</summary>
    Bernoulli,

    /// <summary>A real number with noise of variance 1: for data of mean 0 and variance 1.</summary>
    Gaussian,
}

/// <summary>
/// A restricted Boltzmann machine: E(v, h) = −hᵀWv − cᵀh − aᵀv for binary visible units, with ½‖v − a‖² in place of −aᵀv
/// for Gaussian ones (Hinton 2010, section 13.2). p(h = 1 | v) = σ(Wv + c); p(v | h) is σ(Wᵀh + a), or the mean Wᵀh + a.
/// Weights lie as a dense layer has them, (hidden, visible), and so the machine trains the layer's own parameters.
/// </summary>
internal sealed class BoltzmannMachine<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly WorkerPool pool;
    private readonly bool gaussian;
    private readonly AlignedMemory<T> memory;
    private readonly Buffer<T> visible, hidden, modelVisible, modelHidden, state, noise, chain;
    private readonly Buffer<T> weightGradient, hiddenGradient, visibleGradient, weightVelocity, hiddenVelocity, visibleVelocity;
    private bool hasChain;

    /// <param name="weight">W, (hidden, visible); changed in place.</param>
    /// <param name="hiddenBias">c, (hidden); changed in place. Empty if there is none.</param>
    /// <param name="visibleUnits">Number of visible units.</param>
    /// <param name="hiddenUnits">Number of hidden units.</param>
    /// <param name="gaussian">Gaussian visible units.</param>
    /// <param name="rows">Largest batch, and number of persistent chains.</param>
    /// <param name="pool">The workers.</param>
    public BoltzmannMachine(Buffer<T> weight, Buffer<T> hiddenBias, int visibleUnits, int hiddenUnits, bool gaussian, int rows, WorkerPool pool)
    {
        (Weight, HiddenBias, Visible, Hidden, this.gaussian, Rows, this.pool) = (weight, hiddenBias, visibleUnits, hiddenUnits, gaussian, rows, pool);
        int weights = checked(visibleUnits * hiddenUnits);
        memory = new AlignedMemory<T>(checked(2 * weights + 2 * hiddenUnits + 3 * visibleUnits + rows * (2 * visibleUnits + 4 * hiddenUnits) + rows * Math.Max(visibleUnits, hiddenUnits)));
        int next = 0;
        Buffer<T> Take(int length)
        {
            next += length;
            return memory.Buffer.Slice(next - length, length);
        }
        (weightGradient, weightVelocity) = (Take(weights), Take(weights));
        (hiddenGradient, hiddenVelocity) = (Take(hiddenUnits), Take(hiddenUnits));
        (visibleGradient, visibleVelocity, VisibleBias) = (Take(visibleUnits), Take(visibleUnits), Take(visibleUnits));
        (visible, modelVisible) = (Take(rows * visibleUnits), Take(rows * visibleUnits));
        (hidden, modelHidden, state, chain) = (Take(rows * hiddenUnits), Take(rows * hiddenUnits), Take(rows * hiddenUnits), Take(rows * hiddenUnits));
        noise = Take(rows * Math.Max(visibleUnits, hiddenUnits));
    }

    public int Visible { get; }

    public int Hidden { get; }

    public int Rows { get; }

    public Buffer<T> Weight { get; }

    public Buffer<T> HiddenBias { get; }

    /// <summary>a, (visible).</summary>
    public Buffer<T> VisibleBias { get; }

    /// <summary>The hidden states of the persistent chains, (rows, hidden).</summary>
    public ReadOnlySpan<T> Chains => chain.Span;

    /// <summary>The last gradient of the log-likelihood, for ascent: by W, c and a.</summary>
    public (Buffer<T> Weight, Buffer<T> HiddenBias, Buffer<T> VisibleBias) Gradient => (weightGradient, hiddenGradient, visibleGradient);

    /// <summary>
    /// Estimates the gradient of the mean log-likelihood, ⟨hvᵀ⟩ over the data − ⟨hvᵀ⟩ over the model, the latter after
    /// some steps of Gibbs sampling: from the data (contrastive divergence, Hinton 2002), or from where the chains stopped
    /// last time (persistent, Tieleman 2008).
    /// </summary>
    /// <param name="batch">Visible data, (rows, visible).</param>
    /// <param name="steps">Gibbs steps k.</param>
    /// <param name="persistent">Whether the chains go on.</param>
    /// <param name="key">Key of the random numbers of this step.</param>
    /// <returns>Σ over the batch of (v − its reconstruction from p(h | v))².</returns>
    public double Estimate(ReadOnlySpan<T> batch, int steps, bool persistent, RandomKey key)
    {
        int rows = batch.Length / Visible;
        Buffer<T> data = visible.Slice(0, rows * Visible);
        batch.CopyTo(data.Span);
        Buffer<T> positive = hidden.Slice(0, rows * Hidden);
        ToHidden(data, positive, rows);
        double error = Reconstruct(positive, data, rows);
        // Persistent chains are all moved, however few rows the last batch of an epoch has.
        int walkers = persistent ? Rows : rows;
        Buffer<T> h = (persistent ? chain : state).Slice(0, walkers * Hidden);
        if (!persistent)
        {
            Sample(positive, h, Key(key, 0));
        }
        else if (!hasChain)
        {
            h.Span.Fill(T.CreateTruncating(0.5));
            Sample(h, h, Key(key, 0));
            hasChain = true;
        }
        Buffer<T> v = modelVisible.Slice(0, walkers * Visible);
        Buffer<T> negative = modelHidden.Slice(0, walkers * Hidden);
        for (int i = 0; i < steps; i++)
        {
            ToVisible(h, v, walkers);
            SampleVisible(v, Key(key, 2 * i + 1));
            ToHidden(v, negative, walkers);
            if (persistent || i + 1 < steps)
            {
                Sample(negative, h, Key(key, 2 * i + 2));
            }
        }
        Difference(data, positive, rows, v, negative, walkers);
        return error;
    }

    /// <summary>velocity ← momentum · velocity + rate · (gradient − decay · W); parameter += velocity. Biases do not decay.</summary>
    public void Update(double rate, double momentum, double decay)
    {
        if (decay != 0)
        {
            TensorPrimitives.MultiplyAdd(Weight.Span, T.CreateTruncating(-decay), weightGradient.Span, weightGradient.Span);
        }
        Move(weightVelocity, weightGradient, Weight, rate, momentum);
        Move(visibleVelocity, visibleGradient, VisibleBias, rate, momentum);
        if (!HiddenBias.IsEmpty)
        {
            Move(hiddenVelocity, hiddenGradient, HiddenBias, rate, momentum);
        }
    }

    public void Dispose() => memory.Dispose();

    private static void Move(Buffer<T> velocity, Buffer<T> gradient, Buffer<T> parameter, double rate, double momentum)
    {
        TensorPrimitives.Multiply<T>(velocity.Span, T.CreateTruncating(momentum), velocity.Span);
        TensorPrimitives.MultiplyAdd(gradient.Span, T.CreateTruncating(rate), velocity.Span, velocity.Span);
        TensorPrimitives.Add<T>(parameter.Span, velocity.Span, parameter.Span);
    }

    private void ToHidden(Buffer<T> v, Buffer<T> h, int rows) =>
        Gemm.Multiply(false, true, rows, Hidden, Visible, v, Visible, Weight, Visible, h, Hidden, accumulate: false, HiddenBias, default(Logistic), h, pool);

    private void ToVisible(Buffer<T> h, Buffer<T> v, int rows)
    {
        if (gaussian)
        {
            Gemm.Multiply(false, false, rows, Visible, Hidden, h, Hidden, Weight, Visible, v, Visible, accumulate: false, VisibleBias, pool);
            return;
        }
        Gemm.Multiply(false, false, rows, Visible, Hidden, h, Hidden, Weight, Visible, v, Visible, accumulate: false, VisibleBias, default(Logistic), v, pool);
    }

    private double Reconstruct(Buffer<T> h, Buffer<T> data, int rows)
    {
        Buffer<T> mean = modelVisible.Slice(0, rows * Visible);
        ToVisible(h, mean, rows);
        TensorPrimitives.Subtract<T>(mean.Span, data.Span, mean.Span);
        return Reductions.SumOfSquares(mean, pool);
    }

    private void Sample(Buffer<T> probabilities, Buffer<T> states, RandomKey key)
    {
        Buffer<T> uniform = noise.Slice(0, probabilities.Length);
        RandomFill.Uniform(key, T.Zero, T.One, uniform);
        Elementwise.Zip(default(Draw), uniform, probabilities, states, pool);
    }

    private void SampleVisible(Buffer<T> v, RandomKey key)
    {
        if (!gaussian)
        {
            Sample(v, v, key);
            return;
        }
        Buffer<T> normal = noise.Slice(0, v.Length);
        RandomFill.Normal(key, T.Zero, T.One, normal);
        TensorPrimitives.Add<T>(v.Span, normal.Span, v.Span);
    }

    /// <summary>Mean over the data minus mean over the model, of hvᵀ, h and v.</summary>
    private void Difference(Buffer<T> data, Buffer<T> positive, int rows, Buffer<T> v, Buffer<T> negative, int walkers)
    {
        TensorPrimitives.Multiply<T>(positive.Span, T.CreateTruncating(1.0 / rows), positive.Span);
        TensorPrimitives.Multiply<T>(negative.Span, T.CreateTruncating(-1.0 / walkers), negative.Span);
        Gemm.Multiply(true, false, Hidden, Visible, rows, positive, Hidden, data, Visible, weightGradient, Visible, accumulate: false, default, pool);
        Gemm.Multiply(true, false, Hidden, Visible, walkers, negative, Hidden, v, Visible, weightGradient, Visible, accumulate: true, default, pool);
        Reductions.ColumnSums(rows, Hidden, positive, hiddenGradient, accumulate: false, pool);
        Reductions.ColumnSums(walkers, Hidden, negative, hiddenGradient, accumulate: true, pool);
        Reductions.ColumnSums(rows, Visible, data, visibleGradient, accumulate: false, pool);
        TensorPrimitives.Multiply<T>(visibleGradient.Span, T.CreateTruncating(1.0 / rows), visibleGradient.Span);
        TensorPrimitives.Multiply<T>(v.Span, T.CreateTruncating(-1.0 / walkers), v.Span);
        Reductions.ColumnSums(walkers, Visible, v, visibleGradient, accumulate: true, pool);
    }

    /// <summary>Each draw of a step has a stream of its own: the layer's, turned by the draw's number times an odd constant.</summary>
    private static RandomKey Key(RandomKey step, int draw) => step with { Stream = step.Stream ^ unchecked((uint)draw * 0x9E3779B9u) };

    private readonly struct Logistic : IUnaryOperator<T>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Sigmoid<V, T>(x);
    }

    /// <summary>1 where the uniform number lies below the probability.</summary>
    private readonly struct Draw : IBinaryOperator<T>
    {
        public V Invoke<V>(V uniform, V probability) where V : struct, ISimd<V, T> => V.LessThan(uniform, probability) & V.Broadcast(T.One);
    }
}
