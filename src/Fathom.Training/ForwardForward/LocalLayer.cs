using System.Globalization;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.ForwardForward;

/// <summary>
/// A layer that learns by itself: its input normalized, so that the goodness of the layer below does not give the answer
/// away; dense and ReLU; and the log loss of telling real from made-up by its goodness. It is a small training graph of
/// its own, so its gradient cannot reach the layer below.
/// </summary>
internal sealed class LocalLayer : IDisposable
{
    private const string ActivityName = "activity";

    private readonly Dictionary<(int Rows, bool Training), ExecutionPlan<float>> plans = [];
    private readonly ForwardForwardPlan settings;
    private readonly WorkerPool pool;
    private readonly TrainingGraph graph;
    private readonly Value activity;
    private readonly OptimizerState<float> optimizer;
    private readonly UpdateSize[] updates;

    /// <param name="number">From 1; keys the initial weights.</param>
    /// <param name="width">Elements of an input.</param>
    /// <param name="units">Units of the layer.</param>
    /// <param name="settings">The plan.</param>
    /// <param name="pool">Workers; not disposed by the layer.</param>
    public LocalLayer(int number, int width, int units, ForwardForwardPlan settings, WorkerPool pool)
    {
        (this.settings, this.pool) = (settings, pool);
        // The sum of squares as the logit, as in the paper, whatever the number of units.
        Graph network = Network.Input(width).RmsNorm(affine: false)
            .Dense(units, VarianceScaling.HeNormal, name: string.Create(CultureInfo.InvariantCulture, $"layer_{number}")).Relu(ActivityName)
            .Goodness(settings.Threshold, scale: units).Build();
        graph = TrainingGraph.Build(network, new BinaryCrossEntropy());
        activity = graph.Graph.Nodes.Single(node => node.Name == ActivityName).Output;
        Parameters = new ParameterStore<float>(graph.Graph);
        Parameters.Initialize(settings.Seed);
        optimizer = new OptimizerState<float>(Parameters, settings.Optimizer);
        updates = new UpdateSize[optimizer.Slices.Count];
    }

    public ParameterStore<float> Parameters { get; }

    /// <summary>Where the input of the next run with so many rows goes, (rows, width).</summary>
    public Span<float> Input(int rows, bool training) => PlanFor(rows, training).Real(graph.Input).Span;

    /// <summary>One local step: the first half of the rows is real, the second made up. Returns the loss before the update.</summary>
    public double Step(int rows, long step)
    {
        ExecutionPlan<float> plan = PlanFor(rows, training: true);
        Span<float> target = plan.Real(graph.Target);
        target[..(rows / 2)].Fill(1);
        target[(rows / 2)..].Clear();
        plan.Run(training: true, settings.Seed, step);
        double loss = plan.Real(graph.Loss).Span[0];
        optimizer.Step(settings.Optimizer, settings.Optimizer.LearningRate, step + 1, updates, pool);
        return loss;
    }

    /// <summary>Forward only. Returns the logit of each row.</summary>
    public ReadOnlySpan<float> Evaluate(int rows)
    {
        ExecutionPlan<float> plan = PlanFor(rows, training: false);
        plan.Run(training: false, settings.Seed, step: 0);
        return plan.Real(graph.Prediction).Span;
    }

    /// <summary>What the layer made of the last input with so many rows, (rows, units); the gradient ends here.</summary>
    public ReadOnlySpan<float> Activity(int rows, bool training) => PlanFor(rows, training).Real(activity).Span;

    public void Dispose()
    {
        foreach (ExecutionPlan<float> plan in plans.Values)
        {
            plan.Dispose();
        }
        optimizer.Dispose();
        Parameters.Dispose();
    }

    private ExecutionPlan<float> PlanFor(int rows, bool training)
    {
        if (!plans.TryGetValue((rows, training), out ExecutionPlan<float>? plan))
        {
            Value[] wanted = training ? [graph.Loss, graph.Prediction, activity] : [graph.Prediction, activity];
            plan = ExecutionPlan<float>.Create(graph.Graph, rows, Parameters, pool, wanted, training ? graph.ParameterGradients : null);
            plans.Add((rows, training), plan);
        }
        return plan;
    }
}
