using Fathom.Compute;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests;

/// <summary>Each remedy on a network that is sick of what it is for: the network is, and at the same budget is no longer.</summary>
public sealed class CureTests
{
    public static TheoryData<string> Names => [.. Cure.All.Select(cure => cure.ToString())];

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void ARemedyMendsTheFaultThatItIsFor(string name)
    {
        Cure cure = Named(name);
        RunOutcome control = FaultyData.Run(cure.Sick, cure.Data), mended = FaultyData.Run(cure.Prescription.Rewrite(cure.Sick), cure.Data);
        string figures = FormattableString.Invariant($"{cure.Prescription}: {control.Validation.Metric:0.###} ({control.Status}) before, {mended.Validation.Metric:0.###} ({mended.Status}) after");
        Assert.True(!(control.Validation.Metric >= cure.Below), figures);
        Assert.True(mended.Validation.Metric >= cure.Above, figures);
    }

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void EachVariantVerifiesKeepsTheShapeAndTrains(string name)
    {
        Cure cure = Named(name);
        string before = cure.Sick.Graph.ToString();
        foreach (Prescription prescription in cure.Remedy.Propose(cure.Sick, cure.History))
        {
            ModelDefinition mended = prescription.Rewrite(cure.Sick);
            GraphVerifier.Verify(mended.Graph);
            mended.Plan.Validate();
            Assert.Equal(cure.Sick.Graph.Output.Shape, mended.Graph.Output.Shape);
            Assert.Equal(cure.Sick.Graph.Inputs.Select(input => input.Name), mended.Graph.Inputs.Select(input => input.Name));
            using WatchedRun run = new(mended, cure.Data);
            run.Advance(2);
            Assert.Equal(2, run.Session.NextStep);
            Assert.False(mended.Equals(cure.Sick), $"{prescription}: nothing is changed");
        }
        Assert.Equal(before, cure.Sick.Graph.ToString());
    }

    /// <summary>LSUV has nothing to scale where every layer gives 0 for every sample; the search goes on without it.</summary>
    [Fact]
    public void ARemedyThatFailsBeforeStepOneIsNoCureAndNoError()
    {
        ModelDefinition dead = CureNetworks.Digits(Network.Input(64).Rescaling(0).Dense(16, ConstantInitializer.Zeros).Relu().Dense(10));
        dead = dead with { Plan = dead.Plan with { Epochs = 1 } };
        Prescription lsuv = new UnitVarianceStart().Propose(dead, [Cure.FindingOf(Causes.BadInitialization)]).Single();
        Assert.Throws<TrainingException>(() => FaultyData.Run(lsuv.Rewrite(dead), SickNetworks.Digits));
        using WorkerPool pool = new(1);
        DoctorReport report = new Doctor(SickNetworks.Digits, pool, new DoctorOptions { Seeds = 1 }).Examine(dead);
        Assert.Null(report.Cure);
    }

    [Fact]
    public void EveryRemedyThatCanBeTriedHasItsFault() =>
        Assert.Empty(RemedyCatalog.All.Where(remedy => remedy is not LowerPrecision && !Cure.All.Any(cure => cure.Remedy.GetType() == remedy.GetType())).Select(remedy => remedy.GetType().Name));

    [Fact]
    public void VariantsOfOneRemedyHaveNamesOfTheirOwn()
    {
        foreach (Cure cure in Cure.All)
        {
            string[] names = [.. RemedyCatalog.All.SelectMany(remedy => remedy.Propose(cure.Sick, cure.History).Select(item => $"{remedy.Kind} {item.Name}"))];
            Assert.Equal(names.Distinct(), names);
        }
    }

    private static Cure Named(string name) => Cure.All.First(cure => cure.ToString() == name);
}
