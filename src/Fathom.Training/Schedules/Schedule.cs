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

    /// <summary>For a schedule that follows a metric: its state, whose factor comes on top of <see cref="Factor"/>; otherwise null.</summary>
    public virtual PlateauState? CreateFeedback() => null;

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public virtual void Validate()
    {
    }

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"schedule {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }

    /// <summary>A factor of repeated falls, or of rises: a learning-rate range test (Smith 2017) lets the rate grow from step to step.</summary>
    protected void RequireGrowth(string setting, double value) => Require(value > 0 && double.IsFinite(value), setting, value, "greater than 0 and finite");

    protected void RequireFactor(string setting, double value) => Require(value > 0 && value <= 1, setting, value, "greater than 0 and at most 1");

    protected void RequireFloor(double value) => Require(value >= 0 && value <= 1, "floor", value, "from 0 to 1");

    /// <summary>From <paramref name="start"/> at 0 to <paramref name="end"/> at 1 on half a period of a cosine.</summary>
    protected static double CosineBetween(double start, double end, double progress) => end + (start - end) * (1 + Math.Cos(Math.PI * progress)) / 2;
}
