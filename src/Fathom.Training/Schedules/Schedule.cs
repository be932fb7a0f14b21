namespace Fathom.Training.Schedules;

/// <summary>How the learning rate changes during training. A value; one file per schedule.</summary>
public abstract record Schedule
{
    /// <summary>The name in model files, such as <c>cosine</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Factor on the optimizer's learning rate.</summary>
    /// <param name="step">Step, counted from 0.</param>
    /// <param name="stepsPerEpoch">Steps in an epoch.</param>
    /// <param name="totalSteps">Steps in the whole run.</param>
    public abstract double Factor(long step, int stepsPerEpoch, long totalSteps);
}

/// <summary>The learning rate stays as it is.</summary>
public sealed record ConstantSchedule : Schedule
{
    public static readonly ConstantSchedule Instance = new();

    public override string Kind => "constant";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) => 1;
}
