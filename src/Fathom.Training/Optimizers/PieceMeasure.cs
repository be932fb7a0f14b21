using System.Numerics;
using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <summary>
/// What is measured of a piece of a parameter while the optimizer passes over it, block by block, so that each block comes
/// from memory once: Σ g², the statistics of value and gradient before the update, and the size of the update.
/// </summary>
internal unsafe struct PieceMeasure<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements of a block: parameter, gradient, states and copy together stay in the first-level cache, or nearly.</summary>
    public const int BlockLength = 2048;

    private readonly bool wantsNorm;
    private readonly bool watchesValues;
    private readonly bool watchesGradient;
    private StatisticsPass<T> values;
    private StatisticsPass<T> gradients;

    /// <param name="wantsNorm">Whether <see cref="GradientSquares"/> is asked for.</param>
    /// <param name="old">Memory for a block if the update is to be measured; null if not.</param>
    public PieceMeasure(bool wantsNorm, T* old)
    {
        this.wantsNorm = wantsNorm;
        Old = old;
    }

    /// <summary>The same, and statistics.</summary>
    /// <param name="wantsNorm">Whether <see cref="GradientSquares"/> is asked for.</param>
    /// <param name="old">Memory for a block.</param>
    /// <param name="watch">Where statistics go.</param>
    /// <param name="slice">The parameter.</param>
    /// <param name="value">The piece of it.</param>
    /// <param name="gradient">Its gradient.</param>
    /// <param name="memory">Twice what a pass needs.</param>
    public PieceMeasure(bool wantsNorm, T* old, ParameterWatch<T> watch, int slice, Buffer<T> value, Buffer<T> gradient, byte* memory)
        : this(wantsNorm, old)
    {
        watchesValues = watch.WatchesValue(slice);
        watchesGradient = watch.WatchesGradient(slice);
        if (watchesValues)
        {
            values = new StatisticsPass<T>(memory, in watch.Value(slice), value, T.NaN, T.NaN, inclusive: true);
        }
        if (watchesGradient)
        {
            gradients = new StatisticsPass<T>(memory + StatisticsPass<T>.MemoryBytes, in watch.Gradient(slice), gradient, T.NaN, T.NaN, inclusive: true);
        }
    }

    /// <summary>Where the block's values go before the update; null if nobody asks for the update's size.</summary>
    public T* Old { get; }

    /// <summary>Σ g², the same bits whether anything is watched or not.</summary>
    public double GradientSquares { get; private set; }

    public UpdateSum Update;

    /// <summary>Looks at a block that is about to be updated.</summary>
    /// <param name="value">The parameter's.</param>
    /// <param name="gradient">The gradient's.</param>
    /// <param name="state">Its first state, which the update is going to need: it comes from memory meanwhile.</param>
    public void Before(Buffer<T> value, Buffer<T> gradient, T* state)
    {
        if (watchesGradient)
        {
            GradientSquares += gradients.Add(gradient, value.Pointer, value.Pointer);
        }
        else if (wantsNorm)
        {
            GradientSquares += Statistics.SumOfSquares(gradient);
        }
        if (watchesValues)
        {
            values.Add(value, state);
        }
    }

    /// <summary>Looks at the block again.</summary>
    /// <param name="value">The parameter's.</param>
    /// <param name="next">The gradient's next block, which comes from memory meanwhile; it may lie beyond the end.</param>
    public void After(Buffer<T> value, T* next)
    {
        if (Old != null)
        {
            Update.Add(UpdateSum.Between(Old, value.Pointer, value.Length, next));
        }
    }

    /// <summary>Hands the statistics over.</summary>
    public void Complete(ParameterWatch<T> watch, int slice, int piece)
    {
        if (watchesValues)
        {
            values.Complete(ref watch.Value(slice), out watch.ValueParts[piece]);
        }
        if (watchesGradient)
        {
            gradients.Complete(ref watch.Gradient(slice), out watch.GradientParts[piece]);
        }
    }
}

/// <summary>Which probes of a session see parameters and their gradients as the optimizer passes over them.</summary>
internal sealed class ParameterWatch<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly ProbeSet<T> probes;
    private readonly int[] values;
    private readonly int[] gradients;

    /// <param name="probes">The probes.</param>
    /// <param name="values">For each parameter the probe of its value; −1 for none.</param>
    /// <param name="gradients">The same for its gradient.</param>
    /// <param name="pieces">Pieces that all parameters are cut into.</param>
    public ParameterWatch(ProbeSet<T> probes, int[] values, int[] gradients, int pieces)
    {
        (this.probes, this.values, this.gradients) = (probes, values, gradients);
        ValueParts = new StatisticsPart[pieces];
        GradientParts = new StatisticsPart[pieces];
    }

    public StatisticsPart[] ValueParts { get; }

    public StatisticsPart[] GradientParts { get; }

    public bool WatchesValue(int slice) => values[slice] >= 0;

    public bool WatchesGradient(int slice) => gradients[slice] >= 0;

    public ref TensorStatistics Value(int slice) => ref probes.Of(values[slice]);

    public ref TensorStatistics Gradient(int slice) => ref probes.Of(gradients[slice]);

    /// <summary>Asks memory for a parameter's statistics.</summary>
    public void Fetch(int slice)
    {
        if (WatchesValue(slice))
        {
            Value(slice).Fetch();
        }
        if (WatchesGradient(slice))
        {
            Gradient(slice).Fetch();
        }
    }

    /// <summary>Before the first piece of a parameter.</summary>
    public void Begin(int slice, int length)
    {
        if (WatchesValue(slice))
        {
            Value(slice).Begin(length);
        }
        if (WatchesGradient(slice))
        {
            Gradient(slice).Begin(length);
        }
    }

    /// <summary>After the last.</summary>
    public void End(int slice, int firstPiece, int pieces)
    {
        if (WatchesValue(slice))
        {
            Value(slice).Join(ValueParts.AsSpan(firstPiece, pieces));
        }
        if (WatchesGradient(slice))
        {
            Gradient(slice).Join(GradientParts.AsSpan(firstPiece, pieces));
        }
    }
}
