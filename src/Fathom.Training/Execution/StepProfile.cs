using System.Diagnostics;

namespace Fathom.Training.Execution;

/// <summary>
/// Where the time of training steps goes: kernels by kind of op, what is watched, and the rest of a step by part. Reading
/// the clock costs about 50 ns a kernel, so that the sum is somewhat more than a step takes without it.
/// </summary>
public sealed class StepProfile
{
    private readonly Dictionary<string, Part> parts = [];

    /// <summary>Steps that were measured.</summary>
    public long Steps { get; private set; }

    /// <summary>
    /// What was measured, the dearest first: calls in a step, and milliseconds of a step on average and in the step where
    /// the part took least, which is what it takes without disturbance from outside.
    /// </summary>
    public IReadOnlyList<(string Name, double Calls, double Mean, double Least)> Entries =>
    [
        .. parts.Select(part => (part.Key, (double)part.Value.Calls / Steps, Milliseconds(part.Value.Sum) / Steps, Milliseconds(part.Value.Least)))
            .OrderByDescending(part => part.Item4),
    ];

    /// <summary>Adds the time since a reading of the clock, and gives a new reading.</summary>
    internal long Add(string name, long since)
    {
        AddTicks(name, Stopwatch.GetTimestamp() - since);
        return Stopwatch.GetTimestamp();
    }

    /// <summary>Adds a time that was taken elsewhere.</summary>
    internal void AddTicks(string name, long ticks)
    {
        if (!parts.TryGetValue(name, out Part? part))
        {
            parts.Add(name, part = new Part());
        }
        part.Calls++;
        part.InStep += ticks;
    }

    internal void EndStep()
    {
        Steps++;
        foreach (Part part in parts.Values)
        {
            part.Sum += part.InStep;
            part.Least = Math.Min(part.Least, part.InStep);
            part.InStep = 0;
        }
    }

    private static double Milliseconds(long ticks) => ticks * 1000.0 / Stopwatch.Frequency;

    private sealed class Part
    {
        public long Calls;
        public long InStep;
        public long Sum;
        public long Least = long.MaxValue;
    }
}
