namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// How long a run has been in error. An error is certain of what is measured, and yet a network may come out of it by itself, as one does that begins
/// slowly: a run is changed on account of an error only once there has been one without interruption, be it of one rule or of another that takes over,
/// as dead units do from the steps that killed them; or if nothing that training does can end it.
/// </summary>
internal sealed class Standing
{
    /// <summary>
    /// Share of the run, and inspections at least: on the tuning part of bench/corpus most errors that are withdrawn from healthy networks have gone by
    /// then, while half of the sick ones are acted on within 7 %.
    /// </summary>
    public const double Share = 0.03;

    /// <inheritdoc cref="Share"/>
    public const int Inspections = 5;

    /// <summary>Steps in a short run, twice what the smoothed loss remembers, up to a larger share of it.</summary>
    private const int ShortSteps = 20;

    private const double ShortShare = 0.05;

    private readonly long needed;
    private readonly bool[] speaking, told;

    /// <param name="rules">Number of rules.</param>
    /// <param name="totalSteps">Steps of the run.</param>
    /// <param name="interval">Steps from one inspection to the next.</param>
    public Standing(int rules, long totalSteps, long interval) =>
        (speaking, told, needed) = (new bool[rules], new bool[rules], StepsNeeded(totalSteps, interval));

    /// <summary>Step since which some rule has called an error at each inspection; −1 if none does now.</summary>
    public long Since { get; private set; } = -1;

    /// <summary>Steps for which an error must stand.</summary>
    public static long StepsNeeded(long totalSteps, long interval) =>
        Math.Max(Math.Max((long)Math.Ceiling(Share * totalSteps), Inspections * interval), Math.Min(ShortSteps, (long)Math.Ceiling(ShortShare * totalSteps)));

    /// <summary>Whether a rule's error stands, and has been told.</summary>
    public bool IsTold(int rule) => told[rule];

    /// <summary>Takes in what a rule says; true if it is an error to act on at once.</summary>
    /// <param name="rule">Index of the rule.</param>
    /// <param name="error">Its open finding, if the rule speaks of it as an error now; else null.</param>
    public bool Hear(int rule, Finding? error)
    {
        speaking[rule] = error is not null;
        told[rule] &= speaking[rule];
        return error is { IsFinal: true } && Tell(rule);
    }

    /// <summary>Ends an inspection: the rules whose errors have now stood for long enough, each once.</summary>
    /// <param name="step">The step.</param>
    public IEnumerable<int> Judge(long step)
    {
        Since = !speaking.Contains(true) ? -1 : Since < 0 ? step : Since;
        return Since < 0 || step - Since < needed ? [] : [.. Enumerable.Range(0, speaking.Length).Where(rule => speaking[rule] && Tell(rule))];
    }

    /// <summary>Takes over where another run has been.</summary>
    public void Restore(long since, IEnumerable<int> rules)
    {
        Since = since;
        Array.Clear(told);
        foreach (int rule in rules)
        {
            told[rule] = true;
        }
    }

    private bool Tell(int rule) => !told[rule] && (told[rule] = true);
}
