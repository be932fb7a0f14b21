using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>A recurrent network that has learnt nothing yet may still learn: its end counts, and not what it knows when it is called sick.</summary>
public sealed class PlateauTests
{
    private static readonly DataSplit Adding = DataSource.Open("adding?length=4&samples=800");

    [Fact]
    public void ARecurrentControlAtAGuessIsAskedForItsEnd()
    {
        Assert.True(AsksForTheEnd(net => net.Lstm(16).Last(), rate: 1e-3));
        Assert.False(Plateau.IsUsual(Network.Input(4, 2).Flatten().Dense(16).Tanh().Dense(1).Build()));
    }

    /// <summary>With another seed a recurrent network may guess for twice as long.</summary>
    [Fact]
    public void ACureThatMayGuessForLongIsGivenUpLater()
    {
        Assert.Equal(3, Rung(net => net.Rnn(16).Last()));
        Assert.Equal(2, Rung(net => net.Flatten().Dense(16).Tanh()));

        static int Rung(Func<NetworkCursor, NetworkCursor> hidden)
        {
            ModelDefinition slow = new("slow", hidden(Network.Input(4, 2)).Dense(1).Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(1e-6), BatchSize = 20, Epochs = 20, Seed = 3 });
            ModelDefinition cure = slow with { Plan = slow.Plan with { Optimizer = new Sgd(1e-7) } };
            using Proof proof = new(slow, cure, Adding, new DoctorOptions { ProofLimit = 100 }, new SideBySide(2), StepWork.FullRun(slow, Adding.Training.Count), new CostBook(NoMemo.Instance), _ => { });
            return proof.Run(2, _ => null, _ => 0, default).Rung;
        }
    }

    /// <summary>What a proof may cost is thought for cures whose steps take the work of the network's own; four times the work may cost more.</summary>
    [Fact]
    public void AProofOfWhatTakesMoreWorkMayCostMore()
    {
        ModelDefinition plain = new("plain", Network.Input(4, 2).Rnn(16).Last().Dense(1).Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(1e-6), BatchSize = 20, Epochs = 20, Seed = 3 });
        Assert.Equal(0, Rung(plain with { Plan = plain.Plan with { Optimizer = new Sgd(1e-7) } }));
        Assert.InRange(Rung(plain with { Graph = Network.Input(4, 2).Lstm(16).Last().Dense(1).Build() }), 1, 3);

        int Rung(ModelDefinition cure)
        {
            using Proof proof = new(plain, cure, Adding, new DoctorOptions { ProofLimit = 0 }, new SideBySide(2), StepWork.FullRun(plain, Adding.Training.Count), new CostBook(NoMemo.Instance), _ => { });
            return proof.Run(2, _ => null, _ => 0, default).Rung;
        }
    }

    /// <summary>Whether a proof that compares the network early, with a cure that learns by then, wants to know what the network comes to.</summary>
    private static bool AsksForTheEnd(Func<NetworkCursor, NetworkCursor> hidden, double rate)
    {
        ModelDefinition slow = new("slow", hidden(Network.Input(4, 2)).Dense(1).Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(rate), BatchSize = 20, Epochs = 60, Seed = 3 });
        ModelDefinition cure = slow with
        {
            Graph = Network.Input(4, 2).Flatten().Dense(64).Relu().Dense(1).Build(),
            Plan = slow.Plan with { Optimizer = new Adam(3e-3) },
        };
        bool asked = false;
        using Proof proof = new(slow, cure, Adding, new DoctorOptions(), new SideBySide(2), StepWork.FullRun(slow, Adding.Training.Count), new CostBook(NoMemo.Instance), _ => { });
        ProofResult result = proof.Run(2, _ => null, _ =>
        {
            asked = true;
            return 0.99;
        }, default);
        Assert.Null(result.Failure);
        return asked;
    }
}
