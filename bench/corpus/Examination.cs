using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Diagnosis;

namespace Fathom.Corpus;

/// <summary>What Fathom and others said of one network while it trained.</summary>
/// <param name="Network">The network.</param>
/// <param name="Findings">Fathom's findings that held at the end, most severe first, then most certain.</param>
/// <param name="Share">Step of the first finding of severity error, as a share of the run; NaN without one.</param>
/// <param name="AutoTrainer">AutoTrainer's word.</param>
/// <param name="Ungated">AutoTrainer's without its accuracy gate.</param>
/// <param name="Debugger">SageMaker Debugger's.</param>
/// <param name="Errors">When errors held, those that were withdrawn among them.</param>
/// <param name="Stood">Step at which the first of them had stood long enough to act on it; −1 for before training, null if none has.</param>
/// <param name="Steps">Steps of the run.</param>
internal sealed record Examination(Subject Network, ImmutableArray<Finding> Findings, double Share, Verdict AutoTrainer, Verdict Ungated, Verdict Debugger, ImmutableArray<ErrorSpan> Errors, long? Stood, long Steps)
{
    /// <summary>Whether an error was found at any time, even if it was withdrawn later.</summary>
    public bool EverCalled => Called || !Errors.IsEmpty;

    public bool Called => !Findings.IsEmpty && Findings[0].Severity == Severity.Error;

    public bool IsSick => Network.IsSick;

    /// <summary>The most severe finding's cause; none if there is no error.</summary>
    public string Cause => Called ? Findings[0].Cause : Causes.None;

    /// <summary>Whether the network is sick of what the most severe finding says.</summary>
    public bool IsRight => Called && IsSick && Network.RightCauses.Contains(Cause);

    /// <summary>Whether it can be said if the cause is right: the network is healthy, or a single change has healed it.</summary>
    public bool CanBeJudged => !IsSick || !Network.RightCauses.IsEmpty;

    /// <summary>Few layers are named, and one of them is the culprit or its neighbour.</summary>
    public bool NamesCulprit => Called && Findings[0].Layers is { Length: <= 3 } layers && layers.Any(Network.IsNearCulprit);

    public static Examination Of(Subject network, CancellationToken cancellation, Action<WatchedRun>? epochEnded = null)
    {
        using WorkerPool pool = new(1);
        using WatchedRun run = new(network.Model(), network.Data(), pool);
        PublishedRules others = new(run);
        ErrorSpans errors = new(run.Monitor);
        int epoch = run.Session.StepsPerEpoch;
        while (!run.Ended)
        {
            run.Advance(run.Session.NextStep + epoch, cancellation);
            cancellation.ThrowIfCancellationRequested();
            epochEnded?.Invoke(run);
            others.Look(run.Session.Evaluate(run.Session.Data.Training).Metric);
        }
        ImmutableArray<Finding> findings = [.. run.Findings.OrderByDescending(finding => finding.Severity)];
        double share = findings.Where(finding => finding.Severity == Severity.Error).Select(finding => (double)Math.Max(0, finding.Step) / run.Session.TotalSteps).DefaultIfEmpty(double.NaN).Min();
        return new Examination(network, findings, share, others.Gated, others.Ungated, others.Debugger, errors.All, run.Foreseen.Any(finding => finding.Severity == Severity.Error) ? -1 : errors.Stood, run.Session.TotalSteps);
    }
}
