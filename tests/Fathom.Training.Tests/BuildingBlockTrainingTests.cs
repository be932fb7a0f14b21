using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests;

/// <summary>Networks that only a part at hand makes trainable, trained for a few epochs on the built-in digits.</summary>
public sealed class BuildingBlockTrainingTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 1 });

    [Fact]
    public void CapsulesLearnDigits()
    {
        Graph network = Network.Input(64).Dense(128, VarianceScaling.HeNormal).Relu().Dense(128).Reshape(16, 8).Squash().Capsule(10, 8).CapsuleLength().Build();
        Assert.InRange(Accuracy(network, new Margin(), new Adam(0.003), epochs: 4), 0.92, 1);
    }

    [Fact]
    public void AHundredTailoredLayersLearnWhereRectifiersDoNot()
    {
        Assert.InRange(Accuracy(Deep(new TailoredTanh(100)), new CrossEntropy(), new Sgd(0.0005, 0.9), epochs: 2), 0.8, 1);
        Assert.InRange(Accuracy(Deep(new TailoredLeakyRelu(NegativeSlope: 0)), new CrossEntropy(), new Sgd(0.0005, 0.9), epochs: 2), 0, 0.5);
    }

    private static Graph Deep(Activation activation) => Network.Input(64)
        .Repeat(100, block => block.Dense(64, new Graphs.Initializers.Orthogonal()).Then(activation)).Dense(10, VarianceScaling.LeCunNormal).Build();

    private static double Accuracy(Graph network, Loss loss, Optimizer optimizer, int epochs)
    {
        using WorkerPool pool = new(2);
        TrainingPlan plan = new() { Loss = loss, Optimizer = optimizer, BatchSize = 32, Epochs = epochs };
        using TrainingSession session = new(new ModelDefinition("network", network, plan), Digits, pool, watch: false);
        while (!session.Finished)
        {
            session.Step();
        }
        return session.Evaluate(Digits.Validation).Metric;
    }
}
