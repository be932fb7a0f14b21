using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;

namespace Fathom.Training.Tests.Pretraining;

public sealed class PretrainingTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    public static TheoryData<string> Rules => ["rbm", "pcd", "autoencoder", "gaussian-autoencoder", "untied-autoencoder"];

    [Theory]
    [MemberData(nameof(Rules))]
    public void TheReconstructionErrorFallsInEveryLayer(string rule)
    {
        List<PreparationProgress> told = [];
        using TrainingSession session = new(Model(2, Rule(rule, epochs: 4)), Digits, WorkerPool.Single);
        Assert.True(session.Prepare(told.Add));
        PreparationProgress[] done = [.. told.Where(progress => progress.Share == 1)];
        Assert.Equal(["pre-training dense_1 (1 of 2)", "pre-training dense_2 (2 of 2)"], done.Select(progress => progress.Stage));
        foreach (PreparationProgress layer in done)
        {
            string[] words = layer.Detail.Replace(",", "").Split(' ');
            (double last, double first) = (double.Parse(words[4]), double.Parse(words[^1]));
            Assert.True(last < 0.95 * first, $"{rule}, {layer.Stage}: {layer.Detail}");
        }
        Assert.Equal(0, session.NextStep);
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void TheWeightsAreTheSameForAnyNumberOfThreads(string rule)
    {
        float[] Weights(int threads)
        {
            using WorkerPool pool = new(threads);
            using TrainingSession session = new(Model(2, Rule(rule, epochs: 1)), Digits, pool);
            session.Step();
            return session.Parameters.Values.Span.ToArray();
        }
        float[] one = Weights(1);
        Assert.Equal(one, Weights(2));
        Assert.Equal(one, Weights(3));
    }

    [Fact]
    public void WhatDisturbsInTrainingOnlyDoesNotBreakTheChain()
    {
        Graph network = Network.Input(64).GaussianNoise(0.1).Dense(20).Selu().AlphaDropout().Dense(20).Selu().GaussianDropout(0.1).Dropout(0.1).Dense(10).Build();
        new AutoencoderPretraining().RequireChain(network);
    }

    [Fact]
    public void TheOutputLayerKeepsItsStart()
    {
        using TrainingSession plain = new(Model(2, null), Digits, WorkerPool.Single);
        using TrainingSession trained = new(Model(2, Rule("rbm", 1)), Digits, WorkerPool.Single);
        trained.Prepare();
        float[] Of(TrainingSession session, string name) => session.Parameters.Value(session.Parameters.Find(name)).Span.ToArray();
        Assert.Equal(Of(plain, "dense_3.weight"), Of(trained, "dense_3.weight"));
        Assert.NotEqual(Of(plain, "dense_2.weight"), Of(trained, "dense_2.weight"));
        Assert.NotEqual(Of(plain, "dense_2.bias"), Of(trained, "dense_2.bias"));
    }

    /// <summary>Interrupted in the middle of the second layer, then done again from the start.</summary>
    [Fact]
    public void AnInterruptedPretrainingBeginsAnew()
    {
        ModelDefinition model = Model(2, Rule("rbm", 2));
        using TrainingSession whole = new(model, Digits, WorkerPool.Single);
        using TrainingSession stopped = new(model, Digits, WorkerPool.Single);
        using CancellationTokenSource source = new();
        whole.Step();
        Assert.False(stopped.Prepare(progress =>
        {
            if (progress.Stage.Contains("2 of 2", StringComparison.Ordinal))
            {
                source.Cancel();
            }
        }, source.Token));
        stopped.Restore(stopped.Capture());
        stopped.Step();
        Assert.Equal(whole.Parameters.Values.Span.ToArray(), stopped.Parameters.Values.Span.ToArray());
    }

    [Fact]
    public void ARunThatGoesOnIsNotPretrainedAgain()
    {
        ModelDefinition model = Model(2, Rule("autoencoder", 1));
        using TrainingSession whole = new(model, Digits, WorkerPool.Single);
        using TrainingSession second = new(model, Digits, WorkerPool.Single);
        whole.Step();
        second.Restore(whole.Capture());
        bool told = false;
        Assert.True(second.Prepare(_ => told = true));
        whole.Step();
        second.Step();
        Assert.False(told);
        Assert.Equal(whole.Parameters.Values.Span.ToArray(), second.Parameters.Values.Span.ToArray());
    }

    /// <summary>
    /// Hinton, Osindero and Teh 2006; Erhan et al. 2010: five sigmoid layers from small random weights do not train, and after
    /// pre-training without labels the same few epochs do.
    /// </summary>
    [Theory]
    [InlineData("rbm")]
    [InlineData("autoencoder")]
    public void ADeepSigmoidNetworkTrainsAfterPretraining(string rule)
    {
        double random = Accuracy(null);
        double pretrained = Accuracy(rule == "rbm" ? new RbmPretraining(20) : new AutoencoderPretraining(10, LearningRate: 0.01));
        Assert.InRange(random, 0, 0.2);
        Assert.InRange(pretrained, 0.8, 1);
    }

    [Theory]
    [InlineData("the chain is interrupted by batch norm")]
    [InlineData("no activation")]
    [InlineData("a branch")]
    [InlineData("no hidden layer")]
    [InlineData("sigmoid units are needed")]
    [InlineData("bernoulli")]
    [InlineData("both")]
    public void WhatCannotBePretrainedIsSaidInOneLine(string what)
    {
        RbmPretraining rbm = new(Epochs: 1);
        NetworkCursor input = Network.Input(64);
        (Graph graph, PretrainingRule rule, string message) = what switch
        {
            "the chain is interrupted by batch norm" => (input.Dense(9).Then(new BatchNorm()).Sigmoid().Dense(10).Build(), rbm,
                "pretraining: batch_norm_1 (batch_norm) is neither a dense layer nor its activation; it takes a chain of dense layers with an activation each, from the input to the output layer"),
            "no activation" => (input.Dense(9).Dense(9).Sigmoid().Dense(10).Build(), rbm,
                "pretraining: dense_1 (dense) is read by no activation, and it is not the last layer; it takes a chain of dense layers with an activation each, from the input to the output layer"),
            "a branch" => (Residual(input).Dense(10).Build(), rbm,
                "pretraining: input (input) is read by 2 layers; it takes a chain of dense layers with an activation each, from the input to the output layer"),
            "no hidden layer" => (input.Dense(10).Build(), rbm, "pretraining: the network has no hidden dense layer to train; it needs one with an activation before the output layer"),
            "sigmoid units are needed" => (input.Dense(9).Relu().Dense(10).Build(), rbm,
                "pretraining rbm: dense_1 (dense) is read by relu; a restricted Boltzmann machine has sigmoid units: take autoencoder for others"),
            "bernoulli" => (input.Dense(9).Sigmoid().Dense(10).Build(), rbm with { Visible = VisibleUnits.Bernoulli },
                "pretraining rbm: the data that enter dense_1 do not lie in [0, 1], as bernoulli visible units need; take visible: gaussian, and standardize the data"),
            _ => (input.Dense(9).Sigmoid().Dense(10).Build(), (PretrainingRule)rbm, "initialization lsuv and pretraining both decide the weights before step 1; give one of them"),
        };
        ModelDefinition model = new("m", graph, new TrainingPlan
        {
            Loss = new CrossEntropy(), Optimizer = new Sgd(), Pretraining = rule, Initialization = what == "both" ? new Lsuv() : null,
        });
        Assert.Equal(message, Assert.Throws<TrainingException>(() =>
        {
            using TrainingSession session = new(model, Scaled(Digits, -1), WorkerPool.Single);
            session.Step();
        }).Message);
    }

    [Theory]
    [InlineData("epochs is 0; it must be 1 or more")]
    [InlineData("steps is 0; it must be 1 or more")]
    [InlineData("momentum is 1; it must be from 0 to below 1")]
    [InlineData("corruption is 1; it must be from 0 to below 1")]
    public void SettingsOutOfRangeAreSaid(string message)
    {
        PretrainingRule rule = message[..2] switch
        {
            "ep" => new RbmPretraining(Epochs: 0),
            "st" => new RbmPretraining(Steps: 0),
            "mo" => new RbmPretraining(Momentum: 1),
            _ => new AutoencoderPretraining(Corruption: 1),
        };
        Assert.EndsWith(message, Assert.Throws<TrainingException>(rule.Validate).Message);
    }

    [Fact]
    public void GaussianVisibleUnitsTakeStandardizedData()
    {
        DataSplit data = Digits.Standardized();
        List<PreparationProgress> told = [];
        using TrainingSession session = new(Model(2, Rule("rbm", 6)), data, WorkerPool.Single);
        Assert.True(session.Prepare(told.Add));
        string[] words = told.First(progress => progress.Share == 1).Detail.Replace(",", "").Split(' ');
        Assert.True(double.Parse(words[4]) < 0.9 * double.Parse(words[^1]), string.Join(' ', words));
    }

    private static NetworkCursor Residual(NetworkCursor input) => input.Dense(64).Sigmoid().Add(input);

    private static DataSplit Scaled(DataSplit split, float factor)
    {
        DataSet Scale(DataSet data) => DataSet.OfLabels(data.Name, data.RowShape, [.. data.Inputs.ToArray().Select(x => x * factor)], data.Labels.ToArray(), data.Classes);
        return new DataSplit(Scale(split.Training), Scale(split.Validation));
    }

    private static double Accuracy(PretrainingRule? rule)
    {
        using TrainingSession session = new(Model(5, rule), Digits, WorkerPool.Single, watch: false);
        while (!session.Finished)
        {
            session.Step();
        }
        return session.Evaluate(Digits.Validation).Metric;
    }

    private static PretrainingRule Rule(string kind, int epochs) => kind switch
    {
        "rbm" => new RbmPretraining(epochs),
        "pcd" => new RbmPretraining(2 * epochs, LearningRate: 0.05, Persistent: true),
        "gaussian-autoencoder" => new AutoencoderPretraining(epochs, Noise: CorruptionKind.Gaussian),
        "untied-autoencoder" => new AutoencoderPretraining(epochs, Corruption: 0, Tied: false),
        _ => new AutoencoderPretraining(epochs),
    };

    private static ModelDefinition Model(int depth, PretrainingRule? rule) => new("deep",
        Network.Input(64).Repeat(depth, block => block.Dense(64, new NormalInitializer(0, 0.1)).Sigmoid()).Dense(10).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.5, Momentum: 0.9), BatchSize = 32, Epochs = 10, Seed = 1, Pretraining = rule });
}
