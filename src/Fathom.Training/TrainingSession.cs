using System.Diagnostics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Initialization;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Schedules;

namespace Fathom.Training;

/// <summary>One training step as numbers.</summary>
/// <param name="Step">Step, counted from 0.</param>
/// <param name="Epoch">Epoch, counted from 0.</param>
/// <param name="Loss">Mean loss over the batch, before the update.</param>
/// <param name="LearningRate">Learning rate that was applied.</param>
/// <param name="GradientNorm">L2 norm over all parameter gradients before clipping.</param>
/// <param name="ClippedNorm">The same after clipping.</param>
/// <param name="Milliseconds">Wall time.</param>
public readonly record struct StepResult(long Step, int Epoch, double Loss, double LearningRate, double GradientNorm, double ClippedNorm, double Milliseconds);

/// <summary>
/// A network in training: parameters, optimizer state, data order. A step's outcome depends on model, data, seed and
/// step number only, never on the number of threads or on whether anybody watches.
/// </summary>
public sealed class TrainingSession : IDisposable
{
    private readonly Dictionary<int, ExecutionPlan<float>> plans = [];
    private readonly BatchFeed feed;
    private readonly BatchOrder order;
    private readonly UpdateSize[] updates;
    private readonly Evaluator evaluator;
    private readonly PlateauState? feedback;
    private bool prepared;

    /// <param name="model">Network and plan.</param>
    /// <param name="data">Training and validation data.</param>
    /// <param name="pool">Workers; not disposed by the session.</param>
    /// <param name="watch">Whether every tensor is measured in each step.</param>
    /// <exception cref="TrainingException">Plan or data do not fit.</exception>
    public TrainingSession(ModelDefinition model, DataSplit data, WorkerPool pool, bool watch = true)
    {
        model.Plan.Validate();
        model.Plan.Pretraining?.RequireChain(model.Graph);
        (Model, Data, Pool) = (model, data, pool);
        Graph = TrainingGraph.Build(model.Graph, model.Plan.Loss);
        feed = new BatchFeed(Graph, data.Training, model.Plan.Loss);
        evaluator = new Evaluator(this);
        order = new BatchOrder(data.Training.Count, Math.Min(model.Plan.BatchSize, data.Training.Count), model.Plan.Seed);
        Parameters = new ParameterStore<float>(Graph.Graph);
        Parameters.Initialize(model.Plan.Seed);
        Optimizer = new OptimizerState<float>(Parameters, model.Plan.Optimizer);
        updates = new UpdateSize[Parameters.Slices.Count(slice => slice.Trainable)];
        feedback = model.Plan.Schedule.CreateFeedback();
        Probes = ProbeTable.For(model.Graph, Graph);
        Watch = watch ? new ProbeSet<float>(Probes) : null;
    }

    public ModelDefinition Model { get; }

    public DataSplit Data { get; }

    public WorkerPool Pool { get; }

    public TrainingGraph Graph { get; }

    public ParameterStore<float> Parameters { get; }

    public OptimizerState<float> Optimizer { get; }

    /// <summary>What is watched, in a fixed order.</summary>
    public IReadOnlyList<Probe> Probes { get; }

    /// <summary>The measurements of the last step; null if nothing is watched.</summary>
    public ProbeSet<float>? Watch { get; }

    /// <summary>The step that comes next, counted from 0.</summary>
    public long NextStep { get; private set; }

    public int StepsPerEpoch => order.StepsPerEpoch;

    public long TotalSteps => (long)StepsPerEpoch * Model.Plan.Epochs;

    public bool Finished => NextStep >= TotalSteps;

    /// <summary>Factor on the learning rate beside the schedule's.</summary>
    public double LearningRateScale { get; set; } = 1;

    /// <summary>
    /// The work that the plan wants before step 1: data-driven initialisation, pre-training. It begins from the weights as
    /// the seed draws them, however often it was interrupted. Does nothing where the plan wants none, where it is done, or
    /// after step 1; <see cref="Step"/> calls it by itself.
    /// </summary>
    /// <param name="report">Told how far it has come.</param>
    /// <param name="cancellation">Interrupts it.</param>
    /// <returns>False if it was interrupted.</returns>
    /// <exception cref="TrainingException">Network or data do not suit it.</exception>
    public bool Prepare(Action<PreparationProgress>? report = null, CancellationToken cancellation = default)
    {
        if (prepared || NextStep > 0 || Model.Plan is { Initialization: null, Pretraining: null })
        {
            return true;
        }
        Parameters.Initialize(Model.Plan.Seed);
        PreparationScope scope = new()
        {
            Model = Model, Graph = Graph, Data = Data.Training, Parameters = Parameters, Pool = Pool, Feed = feed, FirstBatch = order.Rows(0).ToArray(),
            Report = report, Cancellation = cancellation,
        };
        return prepared = (Model.Plan.Initialization?.Run(scope) ?? true) && (Model.Plan.Pretraining is not { } rule || GreedyPretraining.Run(rule, scope));
    }

    /// <summary>Zero gradients, forward, backward, clip, update; all watched tensors are measured on the way.</summary>
    public StepResult Step()
    {
        Prepare();
        long started = Stopwatch.GetTimestamp();
        TrainingPlan plan = Model.Plan;
        ReadOnlySpan<int> rows = order.Rows(NextStep);
        ExecutionPlan<float> execution = PlanFor(rows.Length);
        feed.Fill(execution, rows);
        execution.Run(training: true, plan.Seed, NextStep, Watch);
        double loss = execution.Real(Graph.Loss).Span[0];
        double norm = Optimizer.GradientNorm(Pool);
        double clipped = norm;
        if (plan.Clipping is { } clipping)
        {
            clipping.Apply(Parameters, norm);
            clipped = Optimizer.GradientNorm(Pool);
        }
        double rate = plan.Optimizer.LearningRate * LearningRateScale * (feedback?.Factor ?? 1) * plan.Schedule.Factor(NextStep, StepsPerEpoch, TotalSteps);
        MeasureParameters();
        Optimizer.Step(plan.Optimizer, rate, NextStep + 1, updates, Pool);
        RecordUpdates();
        StepResult result = new(NextStep, (int)(NextStep / StepsPerEpoch), loss, rate, norm, clipped, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        NextStep++;
        return result;
    }

    /// <summary>Loss and metric over a whole data set, in evaluation mode.</summary>
    public Evaluation Evaluate(DataSet data) => evaluator.Evaluate(data);

    /// <summary>Tells a schedule that listens, such as plateau, how an epoch ended.</summary>
    public void ReportEpoch(Evaluation validation) =>
        feedback?.Report(feedback.Better == Better.Larger ? validation.Metric : validation.Loss);

    /// <summary>For each elementwise layer the number of units that no sample makes other than 0.</summary>
    public IReadOnlyList<UnitActivity> MeasureUnits(DataSet data, int samples = 512) => evaluator.MeasureUnits(data, samples);

    /// <summary>Everything needed to go on from here: parameters, optimizer state, step.</summary>
    public Checkpoint Capture()
    {
        Dictionary<string, (int[] Shape, float[] Elements)> tensors = [];
        foreach (ParameterSlice slice in Parameters.Slices)
        {
            tensors[slice.Name] = (slice.Shape.Bind(1), Parameters.Value(slice).Span.ToArray());
        }
        foreach ((string name, float[] state) in Optimizer.Export())
        {
            tensors[name] = ([state.Length], state);
        }
        return new Checkpoint(NextStep, LearningRateScale, Model.Plan.Optimizer.Kind, KindOf(Model.Plan.Schedule), tensors, feedback?.Export() ?? []);
    }

    /// <exception cref="TrainingException">The checkpoint belongs to another network, optimizer or schedule.</exception>
    public void Restore(Checkpoint checkpoint)
    {
        RequireKind("optimizer", checkpoint.OptimizerKind, Model.Plan.Optimizer.Kind);
        RequireKind("schedule", checkpoint.ScheduleKind, KindOf(Model.Plan.Schedule));
        RequireTensors(checkpoint);
        Optimizer.Import(checkpoint.Tensors.ToDictionary(pair => pair.Key, pair => pair.Value.Elements));
        feedback?.Import(checkpoint.Schedule);
        foreach (ParameterSlice slice in Parameters.Slices)
        {
            checkpoint.Tensors[slice.Name].Elements.CopyTo(Parameters.Value(slice).Span);
        }
        NextStep = checkpoint.NextStep;
        LearningRateScale = checkpoint.LearningRateScale;
    }

    public void Dispose()
    {
        foreach (ExecutionPlan<float> plan in plans.Values)
        {
            plan.Dispose();
        }
        evaluator.Dispose();
        Optimizer.Dispose();
        Parameters.Dispose();
    }

    private static string KindOf(Schedule schedule) =>
        schedule is WarmupSchedule { Then: { } then } ? $"{schedule.Kind}+{KindOf(then)}" : schedule.Kind;

    private static void RequireKind(string what, string then, string now)
    {
        if (then != now)
        {
            throw new TrainingException($"the checkpoint was written with the {what} '{then}', this run has '{now}'; they must be the same for a run to go on");
        }
    }

    /// <summary>Every parameter is there with its shape, and nothing that belongs to neither network nor optimizer.</summary>
    private void RequireTensors(Checkpoint checkpoint)
    {
        foreach (ParameterSlice slice in Parameters.Slices)
        {
            if (!checkpoint.Tensors.TryGetValue(slice.Name, out (int[] Shape, float[] Elements) tensor))
            {
                throw new TrainingException($"the checkpoint has no tensor '{slice.Name}'; it belongs to another network");
            }
            if (tensor.Elements.Length != slice.Length)
            {
                throw new TrainingException($"the checkpoint's '{slice.Name}' has shape ({string.Join(", ", tensor.Shape)}); the network's has {slice.Shape}");
            }
        }
        HashSet<string> known = [.. Parameters.Slices.Select(slice => slice.Name), .. Optimizer.TensorNames];
        if (checkpoint.Tensors.Keys.FirstOrDefault(name => !known.Contains(name)) is { } foreign)
        {
            throw new TrainingException($"the checkpoint's tensor '{foreign}' belongs neither to this network nor to the state of {Optimizer.Kind}");
        }
    }

    /// <summary>The plan for a batch size; the last batch of an epoch may be smaller than the others.</summary>
    private ExecutionPlan<float> PlanFor(int batch)
    {
        if (!plans.TryGetValue(batch, out ExecutionPlan<float>? plan))
        {
            IReadOnlyCollection<Value> watched = Watch is null ? [] : [.. Probes.Where(probe => probe.Value is not null).Select(probe => probe.Value!.Value)];
            plan = ExecutionPlan<float>.Create(Graph.Graph, batch, Parameters, Pool, [Graph.Loss, Graph.Prediction], Graph.ParameterGradients, watched);
            if (Watch is not null)
            {
                plan.AttachProbes(Watch.ByValue);
            }
            plans.Add(batch, plan);
        }
        return plan;
    }

    private void MeasureParameters()
    {
        if (Watch is null)
        {
            return;
        }
        Watch.CompleteStep();
        for (int i = 0; i < Probes.Count; i++)
        {
            if (Probes[i].Kind == ProbeKind.Parameter)
            {
                Watch.Measure(i, Parameters.Value(Parameters.Find(Probes[i].Node.Name)), Pool);
            }
        }
    }

    private void RecordUpdates()
    {
        if (Watch is null)
        {
            return;
        }
        for (int i = 0; i < Probes.Count; i++)
        {
            if (Probes[i].Kind == ProbeKind.ParameterUpdate)
            {
                ref readonly UpdateSize size = ref updates[Optimizer.IndexOf(Probes[i].Node.Name)];
                ParameterSlice slice = Parameters.Find(Probes[i].Node.Name);
                Watch.SetUpdate(i, slice.Length, size.L2, size.MaxAbs, size.Unchanged);
            }
        }
    }
}
