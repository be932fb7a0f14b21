using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Preflight;

public sealed class PreflightTests
{
    private static readonly PreflightOptions Patient = PreflightOptions.Default with { Budget = TimeSpan.MaxValue };

    [Fact]
    public void AChainOfSigmoidsIsAsTheoryExpects()
    {
        PreflightReport report = Measure(SickNetworks.Vanishing(), out PropagationPrediction prediction);

        Assert.Equal(5, report.Seeds);
        Assert.True(report.Comparable);
        Assert.Equal(32, report.Rows);
        Assert.Equal(prediction.Depth.Layers.Select(layer => layer.Layer.Name), report.Layers.Select(layer => layer.Node.Name));
        Assert.InRange(report.TotalDecades - prediction.Depth.TotalDecades, -0.5, 0.5);
        Assert.All(report.Layers, layer => Assert.True(Math.Abs(layer.Gradient.Z) < Judgement.MostZ, $"{layer.Node.Name}: gradient {layer.Gradient}"));
        Assert.All(report.Layers, layer => Assert.True(Math.Abs(layer.Signal.Z) < Judgement.MostZ, $"{layer.Node.Name}: signal {layer.Signal}"));
        Finding finding = Assert.Single(Findings(SickNetworks.Vanishing(), report, prediction), finding => finding.Severity == Severity.Error);
        Assert.Equal(Causes.Vanishing, finding.Cause);
        Assert.Equal(-report.TotalDecades, finding.Evidence["decades_lost"].Measured, 1e-9);
        Assert.Equal(-prediction.Depth.TotalDecades, finding.Evidence["decades_lost_predicted"].Measured, 1e-9);
    }

    [Fact]
    public void AHealthyNetworkHasNoFinding()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        PreflightReport report = Measure(model, out PropagationPrediction prediction);

        Assert.Empty(Findings(model, report, prediction));
    }

    [Fact]
    public void TheSameIsMeasuredTwice()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        PreflightReport one = Measure(model, out _), two = Measure(model, out _);

        Assert.Equal(one.Nodes.Select(node => (node.Gradient.Measured, node.Signal.Measured, node.Weights?.RelativeUpdate)), two.Nodes.Select(node => (node.Gradient.Measured, node.Signal.Measured, node.Weights?.RelativeUpdate)));
        Assert.Equal(one.Spectrum.Select(range => (range.Largest, range.Smallest, range.Mean)), two.Spectrum.Select(range => (range.Largest, range.Smallest, range.Mean)));
    }

    /// <summary>Plain descent moves the weights by rate · gradient.</summary>
    [Fact]
    public void TheFirstStepIsTheOptimizers()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        PreflightReport report = Measure(model, out _, Patient with { Seeds = 1, Spectrum = false, Correlations = false });

        Assert.Equal(0.05, report.LearningRate);
        Assert.All(report.Layers, layer => Assert.Equal(1, layer.Weights!.RelativeUpdate / (0.05 * Math.Pow(10, layer.Weights.GradientNorm) / layer.Weights.Norm), 1e-3));
        // Adam's first step is the rate in every element.
        model = SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, optimizer: new Adam(1e-3));
        NodeMeasurement first = Measure(model, out _, Patient with { Seeds = 1 }).Layers.Last();
        Assert.Equal(1e-3 * Math.Sqrt(320) / first.Weights!.Norm, first.Weights.RelativeUpdate, 1e-4);
    }

    [Fact]
    public void MeasuringLeavesNoTraceInTheSessionsThatFollow()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        RunOutcome before = SickNetworks.Run(model);
        Measure(model, out _);

        Assert.Equal(before.Training.Loss, SickNetworks.Run(model).Training.Loss);
    }

    [Fact]
    public void ARestartIsAFreshSession()
    {
        ModelDefinition model = SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { Optimizer = new Adam(1e-3) } };
        using WorkerPool pool = new(1);
        using TrainingSession fresh = new(model, SickNetworks.Digits, pool), used = new(model, SickNetworks.Digits, pool);
        used.Step();
        used.Step();
        used.Restart(99);
        used.Step();
        used.Restart(model.Plan.Seed);

        Assert.Equal(0, used.NextStep);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(fresh.Step().Loss, used.Step().Loss);
        }
        Assert.True(fresh.Parameters.Values.Span.SequenceEqual(used.Parameters.Values.Span));
    }

    [Fact]
    public void GivenWeightsAreMeasuredInPlaceOfDrawnOnes()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        PreflightReport report = Measure(model, out PropagationPrediction prediction, Patient with { Weights = Weights(model, 10) });

        Assert.Equal(0, report.Seeds);
        Assert.False(report.Comparable);
        Assert.All(report.Nodes, node => Assert.True(double.IsNaN(node.Signal.Z)));
        Assert.True(report.Layers.Last().Signal.Value > 1000 * Math.Sqrt(prediction.Depth.Layers[^1].PreActivation.SecondMoment));
        Assert.Contains("missing: dense_1.weight", Assert.Throws<TrainingException>(() => Measure(model, out _, Patient with { Weights = new Dictionary<string, TracedTensor>() })).Message);
    }

    [Fact]
    public void NumbersThatOverflowAreNamed()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        PreflightReport report = Measure(model, out PropagationPrediction prediction, Patient with { Weights = Weights(model, 1e15) });
        Finding finding = Assert.Single(Findings(model, report, prediction), finding => finding.Cause == Causes.Numerical);

        Assert.Equal("FTH005", finding.Rule);
        Assert.Equal(Severity.Error, finding.Severity);
        Assert.NotEmpty(finding.Layers);
    }

    [Fact]
    public void SaturationIsFoundBeforeTraining()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Tanh(), new NormalInitializer(0, 3));
        Assert.Contains("FTH003", Rules(model));
        Assert.DoesNotContain("FTH003", Rules(SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal)));
    }

    [Fact]
    public void DeadUnitsAreFoundBeforeTraining()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, bias: new ConstantInitializer(-3));
        Assert.Contains("FTH004", Rules(model));
    }

    [Fact]
    public void SamplesThatLookAlikeAreFound()
    {
        Assert.Contains("FTH007", Rules(SickNetworks.Vanishing()));
        Assert.DoesNotContain("FTH007", Rules(SickNetworks.Chain(15, net => net.Tanh(), new Orthogonal())));
    }

    [Xunit.Theory]
    [InlineData(1000, "FTH008")]
    [InlineData(1e-7, "FTH006")]
    public void ARateThatIsNoneIsFound(double rate, string rule)
    {
        Assert.Contains(rule, Rules(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: rate)));
        Assert.DoesNotContain(rule, Rules(SickNetworks.HealthyRelu()));
    }

    /// <summary>Theory that speaks of other weights than those measured is contradicted, and says where.</summary>
    [Fact]
    public void WhatTheoryDoesNotExpectIsSaid()
    {
        ModelDefinition model = SickNetworks.Chain(4, net => net.Tanh(), new NormalInitializer(0, 0.3));
        PreflightReport honest = Measure(model, out PropagationPrediction prediction);
        Assert.DoesNotContain(Findings(model, honest, prediction), finding => finding.Rule == "FTH009");

        // The same network by theory for inputs of a tenth of the size.
        PropagationPrediction wrong = SignalPropagation.Predict(model.Graph, new DataMoments(0, 1e-4, 0));
        PreflightReport report = Run(model, wrong, Patient);
        Finding finding = Assert.Single(Findings(model, report, wrong), finding => finding.Rule == "FTH009");
        Assert.Equal("dense_1", finding.Layers[0]);
        Assert.Equal(Severity.Info, finding.Severity);
    }

    [Fact]
    public void MeasurementOverrulesTheory()
    {
        ModelDefinition sick = SickNetworks.Vanishing(), healthy = SickNetworks.HealthyRelu(4);
        PreflightReport good = Measure(healthy, out PropagationPrediction expected);
        Finding theory = Forecast.Of(SignalPropagation.Predict(sick.Graph, DataMoments.Standardized))!;

        // Theory says it vanishes, the measurement that it does not.
        Finding doubted = GradientVerdict.Of(theory, new PreflightScope(healthy, expected, good, 100))!;
        Assert.Equal(Severity.Warning, doubted.Severity);
        // Theory says nothing, the measurement that it vanishes.
        PreflightReport bad = Measure(sick, out PropagationPrediction prediction);
        Finding measured = GradientVerdict.Of(null, new PreflightScope(sick, prediction, bad, 100))!;
        Assert.Equal((Severity.Error, Causes.Vanishing), (measured.Severity, measured.Cause));
    }

    /// <summary>A plain recurrent layer loses about a tenth of its gradient's norm a step: 4 decades over 120 steps.</summary>
    [Xunit.Theory]
    [InlineData(20, false)]
    [InlineData(120, true)]
    public void AGradientThatFadesOverTimeIsFound(int length, bool found)
    {
        DataSplit adding = DataSource.Open($"adding?length={length}&samples=100");
        ModelDefinition model = new("memory", Network.Input(length, 2).Rnn(32).Last().Dense(1).Build(), SickNetworks.HealthyRelu().Plan with { Loss = new MeanSquaredError() });
        PropagationPrediction prediction = WatchedRun.Predict(model, adding.Training);
        using WorkerPool pool = new(1);
        PreflightReport report = MeasuredPreflight.Run(model, adding, prediction, Patient, pool);

        StateGradient states = Assert.Single(report.Nodes, node => node.OverTime is not null).OverTime!;
        Assert.Equal(length, states.LogGradients.Length);
        Assert.InRange(Math.Log10(states.Ratio) / prediction.Recurrent[0].DecadesLost, -1.3, -0.7);
        Assert.Equal(found, PreflightCatalog.Inspect(model, prediction, report).Any(finding => finding is { Rule: "FTH001", Cause: Causes.Vanishing, Severity: Severity.Warning }));
    }

    [Fact]
    public void WithoutDataRandomNumbersDo()
    {
        TrainingPlan plan = SickNetworks.HealthyRelu().Plan;
        ModelDefinition[] models =
        [
            new("classes", Network.Input(9).Dense(16).Relu().Dense(4).Build(), plan),
            new("values", Network.Input(9).Dense(16).Relu().Dense(2).Build(), plan with { Loss = new MeanSquaredError() }),
            new("yes or no", Network.Input(9).Dense(16).Relu().Dense(1).Sigmoid().Build(), plan with { Loss = new BinaryCrossEntropy(FromLogits: false) }),
            new("tokens", Network.Indices(6).Embedding(20, 8).Flatten().Dense(4).Build(), plan),
        ];
        foreach (ModelDefinition model in models)
        {
            PropagationPrediction prediction = SignalPropagation.Predict(model.Graph, DataMoments.Standardized);
            using WorkerPool pool = new(1);
            PreflightReport report = MeasuredPreflight.Run(model, null, prediction, Patient, pool);

            Assert.False(report.RealData);
            Assert.True(double.IsFinite(report.Loss), model.Name);
            Assert.All(report.Layers, layer => Assert.True(double.IsFinite(layer.Gradient.Measured), $"{model.Name} {layer.Node.Name}"));
        }
    }

    [Fact]
    public void ALargeBatchIsCutDownToTheWorkAllowed()
    {
        ModelDefinition model = SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { BatchSize = 256, Accumulate = 4 } };
        PreflightReport report = Measure(model, out _, Patient with { MostWork = 20 * MeasuredPreflight.Work(model.Graph, 1) });

        Assert.Equal((20, 256), (report.Rows, report.PlannedRows));
    }

    [Fact]
    public void DataDrivenInitializationIsMeasuredAndNotHeldAgainstTheory()
    {
        ModelDefinition model = SickNetworks.Chain(4, net => net.Tanh(), new Orthogonal(0.1));
        model = model with { Plan = model.Plan with { Initialization = new Lsuv() } };
        PreflightReport report = Measure(model, out _);

        Assert.False(report.Comparable);
        Assert.All(report.Layers, layer => Assert.InRange(layer.Variance, 0.8, 1.2));
    }

    [Fact]
    public void EveryRuleHasAPage()
    {
        foreach (PreflightRule rule in PreflightCatalog.All)
        {
            string page = File.ReadAllText(Path.Combine(Fathom.Testing.RepositoryFiles.Root, "docs", "rules", rule.Id + ".md"));
            Assert.StartsWith($"# {rule.Id}: {rule.Problem}\n", page);
            Assert.Contains(rule.Threshold, page.ReplaceLineEndings(" "));
            Assert.Contains("fathom check", page);
        }
    }

    internal static PreflightReport Measure(ModelDefinition model, out PropagationPrediction prediction, PreflightOptions? options = null)
    {
        prediction = WatchedRun.Predict(model, SickNetworks.Digits.Training);
        return Run(model, prediction, options ?? Patient);
    }

    private static PreflightReport Run(ModelDefinition model, PropagationPrediction prediction, PreflightOptions options)
    {
        using WorkerPool pool = new(2);
        return MeasuredPreflight.Run(model, SickNetworks.Digits, prediction, options, pool);
    }

    private static IReadOnlyList<Finding> Findings(ModelDefinition model, PreflightReport report, PropagationPrediction prediction) =>
        PreflightCatalog.Inspect(model, prediction, report, 200);

    private static IEnumerable<string> Rules(ModelDefinition model)
    {
        PreflightReport report = Measure(model, out PropagationPrediction prediction);
        return Findings(model, report, prediction).Select(finding => finding.Rule);
    }

    /// <summary>The weights of the plan's seed times a factor, biases too.</summary>
    private static Dictionary<string, TracedTensor> Weights(ModelDefinition model, double factor)
    {
        using ParameterStore<float> store = new(model.Graph);
        store.Initialize(model.Plan.Seed);
        return store.Slices.ToDictionary(slice => slice.Name,
            slice => new TracedTensor(slice.Shape.Bind(1), [.. store.Value(slice).Span.ToArray().Select(x => (float)(factor * x))]));
    }
}
