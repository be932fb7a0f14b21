using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Mean squares of the gradient as one spike leaves them, after 15 steps.</summary>
internal sealed class StaleSecondMomentMessage() : MessageCase("FTH054", Stage.Training, "gradients of the past, ×[0-9.]+", "limit ×10")
{
    private readonly Subject sick = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam(3e-4));

    public override Subject Sick => sick;

    public override Subject Healthy => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Adam(1e-3));

    /// <summary>The ratio is that of one batch's gradient.</summary>
    public override double Rounding => 0.5;

    public override IReadOnlyList<Finding> Find(Subject subject, Func<Finding, bool> enough)
    {
        if (subject != sick)
        {
            return base.Find(subject, enough);
        }
        List<Finding> found = [];
        using WatchedRun run = new(subject.Model, subject.Data);
        run.Monitor.Found += found.Add;
        run.Advance(until: 15);
        OptimizerRuleTests.FillSecondMoments(run.Session);
        run.Advance();
        return found;
    }
}
