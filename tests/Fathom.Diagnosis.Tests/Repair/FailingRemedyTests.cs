using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>A remedy whose set-up fails before step 1 is one candidate less, never the end of the examination.</summary>
public sealed class FailingRemedyTests
{
    private static readonly ModelDefinition Sick = SickNetworks.Vanishing(epochs: 1);

    /// <summary>A restricted Boltzmann machine has no units such as these.</summary>
    private static readonly ModelDefinition Pretrained = SickNetworks.HealthyRelu() with { Plan = Sick.Plan with { Pretraining = new RbmPretraining() } };

    [Xunit.Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ACandidateThatCannotBeTrainedIsDroppedWithItsReason(bool isExpected)
    {
        using WorkerPool pool = new(1);
        SideBySide workers = new(1);
        CostBook cost = new(NoMemo.Instance);
        Candidates candidates = new(Sick, new CaseHistory([]), SickNetworks.Digits.Training, workers);
        using TrialRuns runs = new(candidates, SickNetworks.Digits, StepWork.FullRun(Sick, SickNetworks.Digits.Training.Count), cost);
        ModelDefinition failing = isExpected ? Pretrained : Brittle(Sick, Sick.Plan.Seed);
        Trial trial = Of(_ => failing), sound = Of(model => model);

        Measurement measured = runs.Advance(trial, 1, DoctorStage.Trials, default);
        Assert.True(measured.Diverged);
        Assert.Equal(0, measured.Steps);
        Assert.Contains(isExpected ? "a restricted Boltzmann machine has sigmoid units" : "InvalidOperationException: the set-up failed", measured.Failure, StringComparison.Ordinal);
        Assert.Null(runs.Advance(sound, 0, DoctorStage.Trials, default).Failure);
    }

    [Xunit.Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AProofInWhichARunFailsProvesNothing(bool control)
    {
        // The cure would be accepted, if the network did not fail with the second of the proof's seeds.
        ModelDefinition cure = SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { Epochs = 1 } };
        ModelDefinition fails = Brittle(control ? Sick : cure, cure.Plan.Seed + 2);
        Assert.True(Prove(Sick, cure).Accepted);

        ProofResult result = Prove(control ? fails : Sick, control ? cure : fails);
        Assert.False(result.Accepted);
        Assert.Equal($"{(control ? "the network as it is" : "it")} cannot be trained with seed 3: InvalidOperationException: the set-up failed", result.Failure);
    }

    /// <summary>After a sixteenth of a short run a sound network guesses too; it must be given as many steps as the cure.</summary>
    [Fact]
    public void AControlThatIsNotSickIsComparedAfterAsManyStepsAsTheCure()
    {
        static ModelDefinition At(double rate) => SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { Epochs = 1, Optimizer = new Sgd(rate) } };
        ModelDefinition sound = At(0.005);
        CostBook cost = new(NoMemo.Instance);
        using Proof proof = new(sound, At(0.1), SickNetworks.Digits, new DoctorOptions { Seeds = 2 }, new SideBySide(1), StepWork.FullRun(sound, SickNetworks.Digits.Training.Count), cost, _ => { }, isSick: false);
        ProofResult result = proof.Run(3, _ => null, _ => 0, default);
        Assert.Equal((true, 2), (result.Accepted, result.Rung)); // of stops from the first on, the one from which the difference is enough
        Assert.All(result.Pairs, pair => Assert.Equal(pair.MendedSteps, pair.ControlSteps));
    }

    /// <summary>Where not all can be carried on, but the end of a control is known, the cures go on to come past it.</summary>
    [Fact]
    public void CuresAreCarriedOnAloneTowardsTheEndOfAControl()
    {
        static ModelDefinition At(double rate) => SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { Optimizer = new Sgd(rate) } };
        ModelDefinition slow = At(1e-3);
        DoctorOptions options = new() { Seeds = 2, ProofLimit = 1.6 }; // a quarter for four runs, a quarter more for two
        ProofResult Prove(double end)
        {
            using Proof proof = new(slow, At(0.1), SickNetworks.Digits, options, new SideBySide(1), StepWork.FullRun(slow, SickNetworks.Digits.Training.Count), new CostBook(NoMemo.Instance), _ => { }, isSick: false);
            return proof.Run(0, _ => null, _ => end, default);
        }
        ProofResult beyond = Prove(2);
        Assert.False(beyond.Accepted);
        Assert.Equal(3, beyond.Rung);
        Assert.All(beyond.Pairs, pair => Assert.InRange(pair.MendedSteps, 1.9 * pair.ControlSteps, 2.1 * pair.ControlSteps));
        double least = beyond.Pairs.Min(pair => pair.Mended);
        Assert.True(Prove(least - 0.1).Accepted);
    }

    [Fact]
    public void ARewriteThatThrowsIsNoEndOfTheSearch()
    {
        using WorkerPool pool = new(1);
        Candidates candidates = new(Sick, new CaseHistory([]), SickNetworks.Digits.Training, new SideBySide(1));
        Prescription broken = Of(_ => throw new ArgumentException("odd shape")).Remedies[0];
        Assert.Empty(candidates.Triples([new Trial { Remedies = [broken], PredictedDecades = double.NaN }], 3));
        Assert.Equal("cannot be applied: odd shape", Assert.Single(candidates.Impossible).Fate);
    }

    private static ProofResult Prove(ModelDefinition model, ModelDefinition cure)
    {
        CostBook cost = new(NoMemo.Instance);
        using Proof proof = new(model, cure, SickNetworks.Digits, new DoctorOptions { Seeds = 2 }, new SideBySide(1), StepWork.FullRun(model, SickNetworks.Digits.Training.Count), cost, _ => { });
        return proof.Run(TrialRace.Rungs.Length - 1, _ => null, _ => 0.1, default);
    }

    private static Trial Of(Func<ModelDefinition, ModelDefinition> rewrite) =>
        new() { Remedies = [new Prescription(RemedyCatalog.All[0], "odd", rewrite)], PredictedDecades = double.NaN };

    /// <summary>The same network, whose weights cannot be drawn with a seed.</summary>
    private static ModelDefinition Brittle(ModelDefinition model, ulong seed) => model with
    {
        Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => node.Name == "dense_1" ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? new FailsWith(old, seed) : old) : null),
    };

    private sealed record FailsWith(Initializer Rest, ulong Seed) : Initializer
    {
        public override string Kind => "fails";

        public override double Variance(Fans fans) => Rest.Variance(fans);

        public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
        {
            if (key.Seed == Seed)
            {
                throw new InvalidOperationException("the set-up failed");
            }
            Rest.Fill(shape, key, target);
        }
    }
}
