using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>A control is carried no further than it takes to know what it comes to.</summary>
public sealed class ControlRunTests
{
    [Fact]
    public void AControlThatHasStoppedLearningIsNotCarriedToItsEnd()
    {
        Measurement end = End(SickNetworks.Vanishing(epochs: 12), out CostBook cost);
        Assert.True(end.Sick);
        Assert.InRange(end.Metric, 0, 0.2);
        Assert.Equal(0.25, end.Share, 2);
        Assert.Equal(0.25, cost.Sum.Control, 2);
    }

    [Fact]
    public void AControlThatLearnsIsCarriedToItsEnd()
    {
        Measurement end = End(SickNetworks.HealthyRelu(), out CostBook cost);
        Assert.InRange(end.Metric, 0.85, 1);
        Assert.Equal((1.0, 1.0), (end.Share, Math.Round(cost.Sum.Control, 6)));
    }

    /// <summary>Found sick and slow, but on its way: only its end tells how far it comes.</summary>
    [Fact]
    public void ASickControlWhoseLossFallsIsCarriedToItsEnd()
    {
        Measurement end = End(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 3e-3, epochs: 12), out _);
        Assert.Equal(1.0, end.Share);
    }

    private static Measurement End(ModelDefinition model, out CostBook cost)
    {
        DataSplit data = SickNetworks.Digits;
        cost = new CostBook(NoMemo.Instance);
        double fullRun = StepWork.FullRun(model, data.Training.Count);
        using ControlRun control = new(new MeteredRun(Piece.Control, model, data, null, fullRun, cost, DoctorStage.Control), data.Validation, cost, new DoctorOptions(), recorded: false);
        RunOutcome certain = control.UntilCertain(default);
        Measurement end = control.End(data.Validation, default);
        Assert.True(certain.Status == RunStatus.Completed || certain.Steps < end.Steps);
        Assert.Equal(end, control.End(data.Validation, default)); // and no further
        return end;
    }
}
