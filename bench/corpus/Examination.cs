using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Diagnosis;

namespace Fathom.Corpus;

/// <summary>What Fathom and others said of one network while it trained.</summary>
/// <param name="Network">The network.</param>
/// <param name="Label">What became of it.</param>
/// <param name="Findings">Fathom's findings that held at the end, most severe first, then most certain.</param>
/// <param name="Share">Step of the first finding of severity error, as a share of the run; NaN without one.</param>
/// <param name="Gated">AutoTrainer's word.</param>
/// <param name="Ungated">AutoTrainer's without its accuracy gate.</param>
/// <param name="Debugger">SageMaker Debugger's.</param>
internal sealed record Examination(CorpusCase Network, Label Label, ImmutableArray<Finding> Findings, double Share, bool Gated, bool Ungated, bool Debugger)
{
    public bool Called => !Findings.IsEmpty && Findings[0].Severity == Severity.Error;

    public bool IsSick => Label.Outcome == Outcome.Sick;

    /// <summary>The most severe finding's cause; none if there is no error.</summary>
    public string Cause => Called ? Findings[0].Cause : Causes.None;

    /// <summary>
    /// Causes that count as right: of each change that healed the network by itself, and, where one of them undid what
    /// was put in, other names for that fault.
    /// </summary>
    public ImmutableHashSet<string> RightCauses
    {
        get
        {
            string[] healing = [.. Label.Healed.Select(name => Counterfactual.All.First(change => change.Name == name).Cause)];
            bool proven = Network.Fault is { } fault && (healing.Contains(fault.Cause) || fault.AlsoRight.Any(healing.Contains));
            return [.. healing, .. proven ? [Network.Fault!.Cause, .. Network.Fault.AlsoRight] : Array.Empty<string>()];
        }
    }

    /// <summary>Whether the fault sits in one layer, which a finding should name.</summary>
    public bool HasCulprit => Network.Recipe.Change != LayerChange.None && Label.Healed.Contains("sound start of the one layer");

    /// <summary>Few layers are named, and one of them is the culprit or its neighbour.</summary>
    public bool NamesCulprit => Called && Findings[0].Layers is { Length: <= 3 } layers
        && layers.Any(layer => int.TryParse(layer.AsSpan(layer.LastIndexOf('_') + 1), out int number) && Math.Abs(number - Network.Recipe.ChangedLayer) <= 1);

    public static Examination Of(CorpusCase network, Label label, CancellationToken cancellation, Action<WatchedRun>? epochEnded = null)
    {
        using WorkerPool pool = new(1);
        using WatchedRun run = new(RecipeBuilder.Model(network.Recipe, network.Name, network.Seed), RecipeBuilder.Data(network.Recipe), pool);
        PublishedRules others = new(run);
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
        return new Examination(network, label, findings, share, others.Gated, others.Ungated, others.Debugger);
    }
}
