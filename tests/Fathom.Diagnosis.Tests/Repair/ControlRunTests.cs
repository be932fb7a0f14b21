using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>A control is carried no further than it takes to know what it comes to.</summary>
public sealed class ControlRunTests
{
    private static ModelDefinition Slow => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 3e-3, epochs: 12);

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

    /// <summary>Found sick and slow, but on its way: only its end tells whether it comes as far as a cure that has not come far itself.</summary>
    [Fact]
    public void ASickControlWhoseLossFallsIsCarriedToItsEnd()
    {
        Measurement end = End(Slow, out _, reached: 0.3);
        Assert.Equal(1.0, end.Share);
        Assert.InRange(end.Metric, 0.3, 0.5);
    }

    /// <summary>If each doubling of its steps brought twice what the last one did, it would still end far below the cure.</summary>
    [Fact]
    public void AControlThatCannotCatchUpIsNotCarriedToItsEnd()
    {
        Measurement given = End(Slow, out CostBook cost, reached: 0.9);
        Assert.Equal(0.25, given.Share, 2);
        Assert.Equal(0.25, cost.Sum.Control, 2);
    }

    /// <summary>What has learnt and lost it again is to be beaten where it stands: a candidate that does as well as it once did is better.</summary>
    [Fact]
    public void AControlThatFellBackIsBeatenAsItStands()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 8);
        // A hundred thousand times a good rate from a quarter of the run on.
        model = model with { Plan = model.Plan with { Schedule = new MultiStepSchedule([2], 1e5) } };
        DataSplit data = SickNetworks.Digits;
        CostBook cost = new(NoMemo.Instance);
        using ControlRun control = new(new MeteredRun(Piece.Control, model, data, null, StepWork.FullRun(model, data.Training.Count), cost, DoctorStage.Control), data.Validation, cost, new DoctorOptions(), recorded: false);
        double learnt = control.At(2, default).Metric;
        Assert.Equal(learnt, control.ToBeat(2, default));
        control.At(3, default);
        Assert.True(learnt > 0.6, $"{learnt} at a quarter");
        Assert.True(control.ToBeat(2, default) < 0.3, $"{control.ToBeat(2, default)} to beat");
    }

    private static Measurement End(ModelDefinition model, out CostBook cost, double reached = 0.9)
    {
        DataSplit data = SickNetworks.Digits;
        cost = new CostBook(NoMemo.Instance);
        double fullRun = StepWork.FullRun(model, data.Training.Count);
        using ControlRun control = new(new MeteredRun(Piece.Control, model, data, null, fullRun, cost, DoctorStage.Control), data.Validation, cost, new DoctorOptions(), recorded: false);
        RunOutcome certain = control.UntilCertain(default);
        Measurement end = control.End(data.Validation, reached, default);
        Assert.True(certain.Status == RunStatus.Completed || certain.Steps < end.Steps);
        Assert.Equal(end, control.End(data.Validation, reached, default)); // and no further
        return end;
    }
}
