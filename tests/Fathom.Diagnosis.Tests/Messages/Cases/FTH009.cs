using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Theory is asked about inputs of a tenth of the size that the sick one's have.</summary>
internal sealed class UnexpectedMeasurementMessage() : MessageCase("FTH009", Stage.Preflight, "is [0-9.]+, where theory expects [0-9.]+: [0-9.]+ standard errors", "limit 5 at one layer, 3 at a quarter")
{
    public override Subject Sick => SickNetworks.Chain(4, net => net.Tanh(), new NormalInitializer(0, 0.3));

    public override Subject Healthy => HealthyRelu(4);

    public override IReadOnlyList<Finding> Find(Subject subject, Func<Finding, bool> enough)
    {
        bool sick = subject.Model.Graph.Nodes.Any(node => node.Op is Tanh);
        PropagationPrediction prediction = sick ? SignalPropagation.Predict(subject.Model.Graph, new DataMoments(0, 1e-4, 0)) : WatchedRun.Predict(subject.Model, subject.Data.Training);
        using WorkerPool pool = new(1);
        PreflightReport report = MeasuredPreflight.Run(subject.Model, subject.Data, prediction, PreflightOptions.Default with { Budget = TimeSpan.MaxValue }, pool);
        return PreflightCatalog.Inspect(subject.Model, prediction, report, 200);
    }
}
