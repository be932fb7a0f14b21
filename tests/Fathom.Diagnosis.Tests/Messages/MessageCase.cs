using Fathom.Compute;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests.Messages;

/// <summary>When a rule speaks: it may have one message for each.</summary>
public enum Stage
{
    Audit,
    Preflight,
    Training,
}

/// <summary>A model with its data.</summary>
internal sealed record Subject(ModelDefinition Model, DataSplit Data)
{
    /// <summary>A model of the digits.</summary>
    public static implicit operator Subject(ModelDefinition model) => new(model, SickNetworks.Digits);
}

/// <summary>
/// What a rule says of a sick network or data set, and that it says nothing of a healthy one. One file for each rule in
/// <c>Cases</c>, found by reflection; <see cref="MessageTests"/> demands one for every rule of every catalog.
/// </summary>
/// <param name="rule">The rule, such as <c>FTH004</c>.</param>
/// <param name="stage">When it speaks.</param>
/// <param name="value">Pattern of the measured value in the explanation.</param>
/// <param name="limit">Pattern of the threshold in the explanation.</param>
/// <param name="variant">Tells several messages of one rule apart.</param>
internal abstract class MessageCase(string rule, Stage stage, string value, string limit, string variant = "")
{
    public string Rule => rule;

    public Stage Stage => stage;

    public string Value => value;

    public string Limit => limit;

    /// <summary>By what share the numbers may differ: kernels of other vector widths round differently, and after some steps it shows.</summary>
    public virtual double Rounding => 0.1;

    public string Name => $"{rule}-{stage.ToString().ToLowerInvariant()}{(variant.Length == 0 ? "" : $"-{variant}")}";

    /// <summary>What the rule must speak of.</summary>
    public abstract Subject Sick { get; }

    /// <summary>What no rule may speak of; small, and of the same kind.</summary>
    public abstract Subject Healthy { get; }

    /// <summary>What is found, consequences among it, in the order in which it is found.</summary>
    /// <param name="subject">The sick or the healthy one.</param>
    /// <param name="enough">Whether a finding ends the search.</param>
    public virtual IReadOnlyList<Finding> Find(Subject subject, Func<Finding, bool> enough) => stage switch
    {
        Stage.Audit => DataAudit.Inspect(subject.Model, subject.Data, subject.Data is null ? null : WatchedRun.Predict(subject.Model, subject.Data.Training)),
        Stage.Preflight => Measure(subject),
        _ => Train(subject, enough),
    };

    /// <summary>Trained for long enough that a tenth of the run is more than a start.</summary>
    protected static ModelDefinition HealthyRelu(int depth = 3) => SickNetworks.Chain(depth, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.05, epochs: 15);

    private static IReadOnlyList<Finding> Measure(Subject subject)
    {
        PropagationPrediction prediction = WatchedRun.Predict(subject.Model, subject.Data.Training);
        using WorkerPool pool = new(1);
        // Patient, so that a slow machine measures as many draws as a fast one.
        PreflightReport report = MeasuredPreflight.Run(subject.Model, subject.Data, prediction, PreflightOptions.Default with { Budget = TimeSpan.MaxValue }, pool);
        return PreflightCatalog.Inspect(subject.Model, prediction, report, 200);
    }

    private static List<Finding> Train(Subject subject, Func<Finding, bool> enough)
    {
        List<Finding> found = [];
        using CancellationTokenSource end = new();
        using WatchedRun run = new(subject.Model, subject.Data);
        run.Monitor.Found += finding =>
        {
            found.Add(finding);
            if (enough(finding))
            {
                end.Cancel();
            }
        };
        run.Advance(cancellation: end.Token);
        return found;
    }
}
