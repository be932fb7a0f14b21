namespace Fathom.Training;

/// <summary>
/// A session's state in memory, to go back to: parameters, running statistics, optimizer state, what clipping and schedule
/// remember, and the step. Its memory is claimed once and used again, so that keeping one allocates nothing.
/// </summary>
public sealed class SessionSnapshot
{
    internal SessionSnapshot(int elements, int states, int clipping, int schedule)
    {
        Values = GC.AllocateUninitializedArray<float>(elements);
        States = [.. Enumerable.Range(0, states).Select(_ => GC.AllocateUninitializedArray<float>(elements))];
        (Clipping, Schedule) = (new double[clipping], new double[schedule]);
    }

    /// <summary>The step that comes next from here; −1 as long as it holds nothing.</summary>
    public long NextStep { get; internal set; } = -1;

    /// <summary>Bytes of memory.</summary>
    public long Bytes => (1L + States.Length) * Values.Length * sizeof(float);

    internal float[] Values { get; }

    internal float[][] States { get; }

    internal double[] Clipping { get; }

    internal double[] Schedule { get; }

    internal double LearningRateScale { get; set; }
}
