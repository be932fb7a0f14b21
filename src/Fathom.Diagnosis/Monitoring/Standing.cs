namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// How long one rule's error has stood. An error is certain of what is measured, and yet a network may come out of it by
/// itself, as one does that begins slowly: a run is changed on account of an error only once it has stood without
/// interruption, or if nothing that training does can end it.
/// </summary>
internal sealed class Standing
{
    /// <summary>
    /// Share of the run, and inspections at least: on the tuning part of bench/corpus most errors that are withdrawn from healthy networks have gone by
    /// then, while half of the sick ones, which are called within 3 %, are acted on within 6.5 %.
    /// </summary>
    public const double Share = 0.03;

    /// <inheritdoc cref="Share"/>
    public const int Inspections = 5;

    /// <summary>Steps in a short run, twice what the smoothed loss remembers, up to a larger share of it.</summary>
    private const int ShortSteps = 20;

    private const double ShortShare = 0.05;

    private readonly long needed;

    /// <param name="totalSteps">Steps of the run.</param>
    /// <param name="interval">Steps from one inspection to the next.</param>
    public Standing(long totalSteps, long interval) => needed = StepsNeeded(totalSteps, interval);

    /// <summary>Step since which the rule has called an error at each inspection; −1 if it does not now.</summary>
    public long Since { get; private set; } = -1;

    /// <summary>Whether that has been long enough, and been told.</summary>
    public bool IsTold { get; private set; }

    /// <summary>Steps for which an error must stand.</summary>
    public static long StepsNeeded(long totalSteps, long interval) =>
        Math.Max(Math.Max((long)Math.Ceiling(Share * totalSteps), Inspections * interval), Math.Min(ShortSteps, (long)Math.Ceiling(ShortShare * totalSteps)));

    /// <summary>Takes in what the rule says at a step; true once, when the error has stood long enough.</summary>
    /// <param name="step">The step.</param>
    /// <param name="error">The rule's open finding, if the rule speaks of it as an error now; else null.</param>
    public bool Take(long step, Finding? error)
    {
        if (error is null)
        {
            (Since, IsTold) = (-1, false);
            return false;
        }
        Since = Since < 0 ? step : Since;
        if (IsTold || !(error.IsFinal || step - Since >= needed))
        {
            return false;
        }
        return IsTold = true;
    }

    public (long Since, bool IsTold) Capture() => (Since, IsTold);

    /// <summary>Takes over what <see cref="Capture"/> gave.</summary>
    public void Restore(long since, bool isTold) => (Since, IsTold) = (since, isTold);
}
