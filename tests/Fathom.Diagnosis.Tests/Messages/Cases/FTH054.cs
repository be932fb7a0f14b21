using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Second moments as one gradient ten thousand times the size of the others leaves them.</summary>
internal sealed class StaleSecondMomentMessage() : MessageCase("FTH054", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam(3e-4));

    public override Subject Healthy => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Adam(3e-3));

    protected override void Disturb(WatchedRun run)
    {
        if (run.Session.Model.Plan.Optimizer.LearningRate < 1e-3)
        {
            run.Advance(until: 15);
            run.Session.Optimizer.Import(run.Session.Optimizer.Export().ToDictionary(pair => pair.Key,
                pair => pair.Key.EndsWith(".1", StringComparison.Ordinal) ? [.. pair.Value.Select(moment => moment * 1e8f)] : pair.Value));
        }
    }
}
