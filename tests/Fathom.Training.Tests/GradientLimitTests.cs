using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests;

public sealed class GradientLimitTests
{
    private static readonly DataSplit Data = DataSource.Open("digits");

    [Fact]
    public void ALimitGivenOnTheWayIsTheClippingOfAPlan()
    {
        using WorkerPool pool = new(1);
        using TrainingSession planned = new(Model(new ClipByGlobalNorm(0.1)), Data, pool), limited = new(Model(null), Data, pool) { GradientLimit = 0.1 };
        for (int step = 0; step < 5; step++)
        {
            StepResult a = planned.Step(), b = limited.Step();
            Assert.Equal(a.Loss, b.Loss);
            Assert.Equal(a.GradientNorm, b.GradientNorm, 1e-12);
            Assert.Equal(a.ClippedNorm, b.ClippedNorm, 1e-6);
        }
        Assert.Equal(planned.Parameters.Values.Span.ToArray(), limited.Parameters.Values.Span.ToArray());
    }

    [Fact]
    public void AStepLeftOutChangesNothingButTheNextStep()
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(null), Data, pool);
        session.Step();
        float[] before = session.Parameters.Values.Span.ToArray();
        session.Skip();
        Assert.Equal(2, session.NextStep);
        Assert.Equal(before, session.Parameters.Values.Span.ToArray());
        Assert.Equal(2, session.Step().Step);
    }

    private static ModelDefinition Model(GradientClipping? clipping) =>
        new("m", Network.Input(64).Dense(16).Relu().Dense(10).Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1), Clipping = clipping, Epochs = 1 });
}
