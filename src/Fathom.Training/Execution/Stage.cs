namespace Fathom.Training.Execution;

/// <summary>How a kernel may be run.</summary>
internal enum KernelGrain
{
    /// <summary>There is nothing to run: an input or a parameter.</summary>
    Source,

    /// <summary>There is nothing to run: another shape of what is there.</summary>
    View,

    /// <summary>On some samples at a time, by one thread.</summary>
    PerSample,

    /// <summary>As a whole, by one thread.</summary>
    Small,

    /// <summary>As a whole, by all threads.</summary>
    Large,
}

/// <summary>A kernel's turn in a stage.</summary>
/// <param name="Kernel">The node's place in the schedule.</param>
/// <param name="Part">Which of the parts that the samples are cut into.</param>
/// <param name="Parts">How many there are; 1 for all samples at once.</param>
/// <param name="Runs">Whether the kernel is run.</param>
/// <param name="Measures">Whether its outputs are measured (afterwards), if they are watched.</param>
internal readonly record struct StageCall(int Kernel, int Part, int Parts, bool Runs, bool Measures);

/// <summary>What runs at one time: tasks that need nothing from each other, each a stretch of a plan's calls.</summary>
/// <param name="First">The first task.</param>
/// <param name="Tasks">How many there are.</param>
/// <param name="Running">Tasks that run kernels; those behind them only measure.</param>
/// <param name="TakesAllThreads">True for a kernel that shares out its own work: the only task.</param>
internal readonly record struct Stage(int First, int Tasks, int Running, bool TakesAllThreads);

/// <summary>What is worth handing to another thread.</summary>
internal sealed record StageLimits
{
    public static readonly StageLimits Default = new();

    /// <summary>Floating-point operations beyond which a kernel gets all threads: about 40 µs of one.</summary>
    public double KernelWork { get; init; } = 4e6;

    /// <summary>Elements of an output beyond which a kernel gets all threads: its statistics are then shared out too.</summary>
    public int KernelElements { get; init; } = 65536;

    /// <summary>
    /// Floating-point operations of one thread after which a chain is cut: long enough for the hand-over to be cheap, short
    /// enough for the tensors to stay in cache until they have been measured and their weights' gradients computed.
    /// </summary>
    public double ChainWork { get; init; } = 2.5e6;

    /// <summary>
    /// Stretches of <see cref="ChainWork"/> from which a chain is staggered: it begins and ends with a stretch that only one thread
    /// works on.
    /// </summary>
    public int StaggeredChain { get; init; } = 6;

    /// <summary>The least samples in a part: a product of fewer rows is slow.</summary>
    public int PartSamples { get; init; } = 16;

    /// <summary>Floating-point operations worth handing over by themselves; kernels of fewer are handed over together.</summary>
    public double TaskWork { get; init; } = 5e5;

    /// <summary>Elements of tensors that are measured in one task.</summary>
    public int MeasuredElements { get; init; } = 16384;

    /// <summary>Stages after which what can wait waits no longer, since the memory that it reads is held for it.</summary>
    public int Lag { get; init; } = 8;
}
