using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Initialization;

public sealed class LsuvTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    /// <summary>Activations that shrink and that stretch, in one network; without LSUV the variance is far from 1.</summary>
    [Fact]
    public void EveryLayersOutputHasUnitVarianceOnTheFirstBatch()
    {
        ModelDefinition model = Model(Mixed());
        using TrainingSession plain = new(model with { Plan = model.Plan with { Initialization = null } }, Digits, WorkerPool.Single);
        using TrainingSession session = new(model, Digits, WorkerPool.Single);
        List<PreparationProgress> told = [];
        Assert.True(session.Prepare(told.Add));
        Assert.All(Variances(session), variance => Assert.InRange(variance, 0.9, 1.1));
        Assert.Contains(Variances(plain), variance => variance is < 0.2 or > 5);
        Assert.StartsWith("9 layers to unit variance in ", told[^1].Detail);
        Assert.Equal(1, told[^1].Share);
    }

    [Fact]
    public void ConvolutionsAreScaledToo()
    {
        Graph graph = Network.Input(64).Reshape([1, 8, 8]).Then(new Conv2d(6, 3)).Then(new Sigmoid()).Then(new Conv2d(6, 3, Padding: Padding.Same)).Relu().Flatten().Dense(10).Build();
        using TrainingSession session = new(Model(graph), Digits, WorkerPool.Single);
        Assert.True(session.Prepare());
        double[] variances = Variances(session);
        Assert.Equal(3, variances.Length);
        Assert.All(variances, variance => Assert.InRange(variance, 0.9, 1.1));
    }

    [Fact]
    public void WeightsStayOrthogonalAndBiasesZero()
    {
        using TrainingSession session = new(Model(Network.Input(64).Dense(20, bias: Graphs.Initializers.ConstantInitializer.Ones).Tanh().Dense(10).Build()), Digits, WorkerPool.Single);
        session.Prepare();
        float[] weight = session.Parameters.Value(session.Parameters.Find("dense_1.weight")).Span.ToArray();
        double Dot(int a, int b) => Enumerable.Range(0, 64).Sum(j => (double)weight[a * 64 + j] * weight[b * 64 + j]);
        Assert.Equal(0, Dot(0, 7) / Dot(0, 0), 1e-6);
        Assert.Equal(1, Dot(7, 7) / Dot(0, 0), 1e-6);
        Assert.All(session.Parameters.Value(session.Parameters.Find("dense_1.bias")).Span.ToArray(), bias => Assert.Equal(0, bias));
    }

    [Fact]
    public void ThreadsAndResumeChangeNothing()
    {
        float[] After(int threads)
        {
            using WorkerPool pool = new(threads);
            using TrainingSession session = new(Model(Mixed()), Digits, pool);
            session.Step();
            return session.Parameters.Values.Span.ToArray();
        }
        Assert.Equal(After(1), After(2));
        Assert.Equal(After(1), After(4));
        using TrainingSession first = new(Model(Mixed()), Digits, WorkerPool.Single);
        using TrainingSession second = new(Model(Mixed()), Digits, WorkerPool.Single);
        first.Step();
        second.Restore(first.Capture());
        Assert.Equal(first.Step().Loss, second.Step().Loss);
        Assert.Equal(first.Parameters.Values.Span.ToArray(), second.Parameters.Values.Span.ToArray());
    }

    [Fact]
    public void ATieIsScaledOnce()
    {
        NetworkCursor network = Network.Input(64).Dense(32).Tanh();
        Value weight = network.Builder.Parameter("shared", Shape.Of(32, 32), new Graphs.Initializers.Orthogonal());
        Value hidden = network.Builder.Add("first", new Dense(32, Bias: false), [network.Value, weight]);
        Value second = network.Builder.Add("second", new Dense(32, Bias: false), [hidden, weight]);
        Value output = network.Builder.Layer(new Dense(10), null, [second]);
        using TrainingSession session = new(Model(network.Builder.Build(output)), Digits, WorkerPool.Single);
        Assert.True(session.Prepare());
        Assert.True(double.IsFinite(session.Step().Loss));
    }

    [Fact]
    public void DataThatSayNothingAreRefused()
    {
        DataSet zero = DataSet.OfLabels("zero", [64], new float[64 * 40], new int[40], 10);
        using TrainingSession session = new(Model(Mixed()), new DataSplit(zero, zero), WorkerPool.Single);
        Assert.Equal("initialization lsuv: the output of dense_1 (dense) has the variance 0 over the first batch; only one that is greater than 0 and finite can be scaled to 1: look at the data, or at what makes the layers before it constant",
            Assert.Throws<TrainingException>(() => session.Step()).Message);
        Assert.Equal("initialization lsuv: tolerance is 0; it must be greater than 0 and finite", Assert.Throws<GraphException>(() => new Lsuv(0).Validate()).Message);
        Assert.Equal("initialization lsuv: tries is 0; it must be 1 or more", Assert.Throws<GraphException>(() => new Lsuv(Tries: 0).Apply(Mixed())).Message);
    }

    private static Graph Mixed() =>
        Network.Input(64).Dense(40).Sigmoid().Dense(40).Relu().Dense(40).Then(new Maxout()).Dense(30).Then(new Softplus()).Dense(40).Tanh().Repeat(3, block => block.Dense(40).Then(new Gelu())).Dense(10).Build();

    private static ModelDefinition Model(Graph graph)
    {
        Lsuv rule = new();
        return new ModelDefinition("lsuv", rule.Apply(graph), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.01), BatchSize = 64, Epochs = 1, Initialization = rule });
    }

    /// <summary>Of each dense layer's output over the session's first batch.</summary>
    private static double[] Variances(TrainingSession session)
    {
        Node[] layers = [.. session.Model.Graph.Nodes.Where(node => node.Op is Dense or ConvolutionOp)];
        int[] rows = new BatchOrder(Digits.Training.Count, 64, session.Model.Plan.Seed).Rows(0).ToArray();
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(session.Model.Graph, rows.Length, session.Parameters, WorkerPool.Single, [.. layers.Select(layer => layer.Output)]);
        Digits.Training.CopyInputs(rows, plan.Real(session.Graph.Input).Span);
        plan.Run(training: false, 1, 0);
        return [.. layers.Select(layer =>
        {
            double[] values = [.. plan.Real(layer.Output).Span.ToArray().Select(x => (double)x)];
            double mean = values.Average();
            return values.Average(x => (x - mean) * (x - mean));
        })];
    }
}
