using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training.Losses;

namespace Fathom.Training.Tests.Losses;

public sealed class LossTests
{
    [Fact]
    public void CrossEntropyFromProbabilitiesNormalisesTheRow()
    {
        (float[] loss, float[] gradient) = Run(new CrossEntropyLoss(FromLogits: false), [1, 3], [2, 1, 1], 0);
        Assert.Equal(Math.Log(2), loss[0], 1e-6);
        // −log(q0 / Σq): −1/q0 + 1/Σq for q0, 1/Σq for the others.
        Assert.Equal([-0.25f, 0.25f, 0.25f], gradient);
    }

    [Fact]
    public void AClippedProbabilityHasNoSlope()
    {
        (float[] loss, float[] gradient) = Run(new CrossEntropyLoss(FromLogits: false), [1, 3], [1, 0, 0], 1);
        Assert.Equal(-Math.Log((float)1e-7), loss[0], 1e-5);
        Assert.Equal([0f, 0f, 0f], gradient);
    }

    [Fact]
    public void AConfidentRightAnswerKeepsItsTinySlope()
    {
        (float[] loss, float[] gradient) = Run(new CrossEntropyLoss(), [1, 2], [30, 0], 0);
        double p = Math.Exp(-30);
        Assert.Equal(p, loss[0], 1e-6 * p);
        Assert.Equal(-p, gradient[0], 1e-6 * p);
        Assert.Equal(p, gradient[1], 1e-6 * p);

        GraphRun<float> run = new();
        Value x = run.Real("x", [2], [30f, -30f]);
        Value target = run.Real("target", [2], [1f, 0f]);
        run.Output("loss", run.Builder.Add("loss", new BinaryCrossEntropyLoss(Reduction: LossReduction.Sum), [x, target]), [1f]);
        run.Execute(["x"]);
        Assert.Equal(2 * p, run.Results["loss"][0], 1e-6 * p);
        Assert.Equal(-p, run.Gradients["x"][0], 1e-6 * p);
        Assert.Equal(p, run.Gradients["x"][1], 1e-6 * p);
    }

    [Fact]
    public void HugeLogitsDoNotOverflow()
    {
        (float[] loss, float[] gradient) = Run(new CrossEntropyLoss(), [1, 3], [3e38f, -3e38f, 3e38f], 2);
        Assert.Equal(Math.Log(2), loss[0], 1e-6);
        Assert.Equal([0.5f, 0f, -0.5f], gradient);
    }

    [Fact]
    public void ALabelThatNamesNoClassIsAnError()
    {
        GraphException error = Assert.Throws<GraphException>(() => Run(new CrossEntropyLoss(), [1, 3], [1, 2, 3], 3));
        Assert.Equal("cross_entropy: target 0 is class 3; the prediction has the classes 0 to 2", error.Message);
        error = Assert.Throws<GraphException>(() => Run(new NegativeLogLikelihoodLoss(), [1, 3], [1, 2, 3], -1));
        Assert.Equal("nll: target 0 is class -1; the prediction has the classes 0 to 2", error.Message);
    }

    [Xunit.Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void LossAndGradientAreBitIdenticalForAnyNumberOfThreads(int threads)
    {
        (float[] loss, float[] gradient) one = Large(1);
        (float[] loss, float[] gradient) many = Large(threads);
        Assert.Equal(one.loss, many.loss);
        Assert.Equal(one.gradient, many.gradient);
    }

    [Fact]
    public void EveryLossOfTheCatalogTrainsOnABatch()
    {
        foreach (Loss loss in LossCatalog.ByKind.Values)
        {
            loss.Validate();
            Graph network = Network.Input(5).Dense(4).Build();
            TrainingGraph training = TrainingGraph.Build(network, loss);
            Assert.Equal(0, training.Loss.Shape.Rank);
            Assert.Equal(["dense_1.bias", "dense_1.weight"], training.ParameterGradients.Keys.Order());
            Assert.True(training.Loss.Node.Op.IsLoss);
            Assert.Equal(loss.Target == TargetForm.Index ? ElementKind.Index : ElementKind.Real, training.Target.Type.Kind);
        }
    }

    [Fact]
    public void MarginLossIsThatOfThePaper()
    {
        GraphRun<double> run = new();
        Value lengths = run.Real("lengths", [2, 3], [0.7, 0.3, 0.05, 0.95, 0.1, 0.6]);
        Value target = run.Real("target", [2, 3], [1, 0, 0, 1, 0, 0]);
        run.Output("loss", run.Builder.Add("loss", new MarginLoss(), [lengths, target]), [1.0]);
        run.Execute(["lengths"]);
        // Sample 1: (0.9 − 0.7)² + 0.5·(0.3 − 0.1)²; sample 2: 0.5·(0.6 − 0.1)².
        Assert.Equal((0.04 + 0.02 + 0.125) / 2, run.Results["loss"][0], 1e-14);
        double[] slopes = [-0.2, 0.1, 0, 0, 0, 0.25];
        for (int i = 0; i < slopes.Length; i++)
        {
            Assert.Equal(slopes[i], run.Gradients["lengths"][i], 1e-14);
        }
        Assert.Equal("loss margin: negative_margin is 0.95; it must be from 0 to positive_margin",
            Assert.Throws<TrainingException>(new Margin(NegativeMargin: 0.95).Validate).Message);
        Assert.Equal("loss margin: positive_margin is 1.5; it must be from 0 to 1", Assert.Throws<TrainingException>(new Margin(1.5).Validate).Message);
    }

    [Fact]
    public void SettingsOutOfRangeAreNamed()
    {
        Assert.Equal("loss huber: delta is -1; it must be greater than 0 and finite",
            Assert.Throws<TrainingException>(new Huber(-1).Validate).Message);
        Assert.Equal("loss cross_entropy: label_smoothing is 1.5; it must be from 0 to 1",
            Assert.Throws<TrainingException>(new CrossEntropy(LabelSmoothing: 1.5).Validate).Message);
    }

    private static (float[] Loss, float[] Gradient) Run(Op op, int[] shape, float[] x, params int[] labels)
    {
        GraphRun<float> run = new();
        Value loss = run.Builder.Add("loss", op, [run.Real("x", shape, x), run.Index("target", [shape[0]], labels)]);
        run.Output("loss", loss, [1f]);
        run.Execute(["x"]);
        return (run.Results["loss"], run.Gradients["x"]);
    }

    private static (float[] Loss, float[] Gradient) Large(int threads)
    {
        const int rows = 3000, classes = 37;
        GraphRun<float> run = new();
        Value x = run.Real("x", [rows, classes], Enumerable.Range(0, rows * classes).Select(i => (float)(3 * Math.Sin(0.7 * i))));
        Value target = run.Index("target", [rows], Enumerable.Range(0, rows).Select(i => i * 7 % classes));
        Value soft = run.Real("soft", [rows, classes], Enumerable.Range(0, rows * classes).Select(i => (float)(0.5 + 0.5 * Math.Cos(i))));
        Value entropy = run.Builder.Add("ce", new CrossEntropyLoss(), [x, target]);
        Value binary = run.Builder.Add("bce", new BinaryCrossEntropyLoss(), [x, soft]);
        run.Output("loss", run.Builder.Add("sum", new Add(), [entropy, binary]), [1f]);
        run.Execute(["x"], threads);
        return (run.Results["loss"], run.Gradients["x"]);
    }
}
