using System.Collections.Immutable;
using System.Diagnostics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// One real step for each of several draws of the weights, every tensor watched: forward, backward, clipping and the
/// optimizer's first update, as training will do it.
/// </summary>
internal sealed class SeedSweep : IDisposable
{
    private readonly PreflightBatch batch;
    private readonly PreflightOptions options;
    private readonly Value output;
    private readonly List<Reading[]> draws = [];
    private readonly List<StepResult> steps = [];
    private readonly Dictionary<(Node, ProbeKind), int> probes = [];

    public SeedSweep(ModelDefinition model, PreflightBatch batch, IReadOnlyList<double>? classWeights, PreflightOptions options, WorkerPool pool)
    {
        (this.batch, this.options) = (batch, options);
        output = model.Graph.Output;
        while (output.Node.Op.IsLoss)
        {
            output = output.Node.Inputs[0];
        }
        TrainingPlan plan = model.Plan;
        bool given = options.Weights is not null;
        bool cut = batch.Rows.Count < batch.PlannedRows;
        plan = plan with
        {
            // A schedule may begin at 0; what the plan's rate does is what is asked for.
            Schedule = ConstantSchedule.Instance,
            Pretraining = null,
            Initialization = given ? null : plan.Initialization,
            Metrics = default,
            ClassWeights = classWeights is null ? null : new ClassWeights([.. classWeights]),
            BatchSize = batch.Rows.Count,
            Accumulate = cut ? 1 : Math.Min(plan.Accumulate, batch.Rows.Count),
        };
        FirstSeed = plan.Seed;
        Session = new TrainingSession(model with { Plan = plan }, new DataSplit(batch.Rows, batch.Rows), pool);
        for (int i = 0; i < Session.Probes.Count; i++)
        {
            probes.TryAdd((Session.Probes[i].Node, Session.Probes[i].Kind), i);
        }
    }

    public TrainingSession Session { get; }

    /// <summary>Seed of the first draw.</summary>
    public ulong FirstSeed { get; }

    /// <summary>Draws so far.</summary>
    public int Count => steps.Count;

    /// <summary>Mean loss over the draws.</summary>
    public double Loss => steps.Average(step => step.Loss);

    /// <summary>Mean norm of the parameters' gradients over the draws.</summary>
    public double GradientNorm => steps.Average(step => step.GradientNorm);

    /// <summary>The quickest step in milliseconds.</summary>
    public double Milliseconds { get; private set; } = double.PositiveInfinity;

    public double LearningRate => steps[0].LearningRate;

    /// <summary>Measures one draw after the other until they are enough or the time is over.</summary>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Stops after the draw in hand.</param>
    public void Run(Action<double>? progress, CancellationToken cancellation)
    {
        int seeds = options.Weights is null ? options.Seeds : 1;
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < seeds && (i == 0 || (Stopwatch.GetElapsedTime(started) < options.Budget && !cancellation.IsCancellationRequested)); i++)
        {
            Begin(FirstSeed + (ulong)i);
            steps.Add(Session.Step());
            draws.Add(Readings());
            Milliseconds = Math.Min(Milliseconds, steps[^1].Milliseconds);
            progress?.Invoke((i + 1.0) / seeds);
            started = i == 0 ? Stopwatch.GetTimestamp() : started; // the first draw made plans and compiled code
        }
        if (Count == 1 && steps[0].Milliseconds < options.Budget.TotalMilliseconds)
        {
            Milliseconds = Math.Min(Milliseconds, Session.Step().Milliseconds);
        }
    }

    /// <summary>Puts the weights of a draw into the session, as they are before its first step.</summary>
    public void Begin(ulong seed)
    {
        Session.Restart(seed);
        if (options.Weights is { } weights)
        {
            BatchTrace.Load(Session.Parameters, weights);
        }
        Session.Prepare();
    }

    /// <summary>Everything measured, by node in graph order.</summary>
    /// <param name="prediction">What theory expects.</param>
    /// <param name="comparable">Whether theory speaks of the weights that were measured.</param>
    public ImmutableArray<NodeMeasurement> Measurements(PropagationPrediction prediction, bool comparable)
    {
        double[] last = LogNorms(probes.GetValueOrDefault((output.Node, ProbeKind.ActivationGradient), -1));
        double chance = batch.ChanceOfRows();
        return [.. Session.Model.Graph.Nodes.Where(node => probes.ContainsKey((node, ProbeKind.Activation))).Select(node => Describe(node, last, chance, prediction, comparable))];
    }

    public void Dispose() => Session.Dispose();

    private NodeMeasurement Describe(Node node, double[] last, double chance, PropagationPrediction prediction, bool comparable)
    {
        int activation = probes[(node, ProbeKind.Activation)], gradient = probes.GetValueOrDefault((node, ProbeKind.ActivationGradient), -1);
        Moments expected = prediction.Forward(node.Output);
        double[] signal = [.. draws.Select(draw => Math.Log10(draw[activation].L2 / Math.Sqrt(Math.Max(1, draw[activation].Count))))];
        double[] norms = LogNorms(gradient);
        return new NodeMeasurement
        {
            Node = node,
            Depth = Session.Probes[activation].Depth,
            Source = prediction[node].Source,
            Mean = draws.Average(draw => draw[activation].Mean),
            Variance = draws.Average(draw => draw[activation].Variance),
            Signal = Judgement.Compare(comparable ? Math.Log10(expected.SecondMoment) / 2 : double.NaN, prediction.ExpectedSignalDeviation(node.Output), signal, chance),
            Gradient = Judgement.Compare(comparable ? prediction.RelativeGradientNorm(node.Output) : double.NaN, prediction.ExpectedLogDeviation(node.Output),
                [.. norms.Zip(last, (norm, end) => norm - end)]),
            GradientNorm = norms.Length == 0 ? double.NaN : norms.Average(),
            Saturated = node.Op.Saturation is null ? double.NaN : draws.Average(draw => (double)draw[activation].Saturated / Math.Max(1, draw[activation].Count)),
            Zeros = draws.Average(draw => (double)draw[activation].Zeros / Math.Max(1, draw[activation].Count)),
            NonFinite = draws.Any(draw => draw[activation].IsBroken || (gradient >= 0 && draw[gradient].IsBroken)),
            Weights = WeightOf(node) is { } weight ? Describe(weight, last, prediction, comparable) : null,
        };
    }

    private WeightMeasurement? Describe(Node weight, double[] last, PropagationPrediction prediction, bool comparable)
    {
        if (!probes.TryGetValue((weight, ProbeKind.Parameter), out int value))
        {
            return null; // no gradient reaches it
        }
        int gradient = probes[(weight, ProbeKind.ParameterGradient)], update = probes[(weight, ProbeKind.ParameterUpdate)];
        double[] norms = LogNorms(gradient);
        // From norms to the RMS of an element, for both.
        double elements = Math.Log10(weight.Outputs[0].Shape.ElementsPerSample) / 2;
        double outputElements = Math.Log10(output.Shape.ElementsPerSample * ((double)batch.Rows.Count / Session.Model.Plan.Accumulate)) / 2;
        double[] relative = [.. norms.Zip(last, (norm, end) => norm - elements - (end - outputElements))];
        double[] moved = [.. draws.Where(draw => draw[value].L2 > 0).Select(draw => draw[update].L2 / draw[value].L2)];
        double mean = moved.Length == 0 ? double.NaN : moved.Average();
        return new WeightMeasurement(weight.Name, draws.Average(draw => draw[value].L2),
            Judgement.Compare(comparable ? prediction.RelativeGradient(weight.Output) : double.NaN, prediction.ExpectedLogDeviation(weight.Output), relative),
            norms.Average(), mean, Judgement.Deviation(moved, mean), draws.Average(draw => (double)draw[update].Zeros / Math.Max(1, draw[update].Count)));
    }

    private static Node? WeightOf(Node node) =>
        node.Parameters.FirstOrDefault(parameter => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable);

    private double[] LogNorms(int probe) => probe < 0 ? [] : [.. draws.Select(draw => Math.Log10(draw[probe].L2))];

    /// <summary>What is kept of a step: histograms of each tensor for each seed would be much.</summary>
    private Reading[] Readings()
    {
        ReadOnlySpan<TensorStatistics> statistics = Session.Watch!.Statistics;
        Reading[] readings = new Reading[statistics.Length];
        for (int i = 0; i < readings.Length; i++)
        {
            ref readonly TensorStatistics tensor = ref statistics[i];
            readings[i] = new Reading(tensor.L2, tensor.Count, tensor.Mean, tensor.Variance, tensor.Zeros, tensor.Saturated, tensor.Finite != tensor.Count);
        }
        return readings;
    }

    private readonly record struct Reading(double L2, long Count, double Mean, double Variance, long Zeros, long Saturated, bool IsBroken);
}
