using System.Diagnostics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Initialization;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;

namespace Fathom.Training;

/// <summary>One training step as numbers.</summary>
/// <param name="Step">Step, counted from 0.</param>
/// <param name="Epoch">Epoch, counted from 0.</param>
/// <param name="Loss">Mean loss over the batch, before the update and without penalties.</param>
/// <param name="LearningRate">Learning rate that was applied.</param>
/// <param name="GradientNorm">L2 norm over all parameter gradients before clipping, with those of penalties and with noise.</param>
/// <param name="ClippedNorm">The same after clipping.</param>
/// <param name="Milliseconds">Wall time.</param>
public readonly record struct StepResult(long Step, int Epoch, double Loss, double LearningRate, double GradientNorm, double ClippedNorm, double Milliseconds)
{
    /// <summary>Sum of the plan's penalties at the parameters before the update; loss + penalty is what the step lowers.</summary>
    public double Penalty { get; init; }
}

/// <summary>
/// A network in training: parameters, optimizer state, data order. A step's outcome depends on model, data, seed and
/// step number only, never on the number of threads or on whether anybody watches.
/// </summary>
public sealed partial class TrainingSession : IDisposable
{
    private readonly Dictionary<int, ExecutionPlan<float>> plans = [];
    private readonly BatchFeed feed;
    private readonly BatchOrder order;
    private readonly UpdateSize[] updates;
    private readonly Evaluator evaluator;
    private readonly List<ForwardProbe> forwardProbes = [];
    private PlateauState? feedback;
    private readonly double[] clippingState;
    private RegularizerSet<float> regularizers;
    private readonly ParameterSlice[] withoutGradient;
    private readonly GradientAccumulator<float>? accumulator;
    private readonly ParameterWatch<float>? parameterWatch;
    private readonly bool gradientsStay;
    private readonly (int Probe, int Length, int Update)[] watchedUpdates;
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
        ClassWeights = model.Plan.ClassWeights?.For(data.Training, TrainingGraph.Classes(model.Graph));
        Graph = TrainingGraph.Build(model.Graph, model.Plan.Loss, classWeights: ClassWeights, recompute: model.Plan.Recompute);
        feed = new BatchFeed(Graph, data.Training, model.Plan.Loss, ClassWeights);
        evaluator = new Evaluator(this);
        foreach (Metrics.Metric metric in model.Plan.Metrics)
        {
            metric.Check(data.Training);
        }
        order = new BatchOrder(data.Training.Count, Math.Min(model.Plan.BatchSize, data.Training.Count), model.Plan.Seed);
        Parameters = new ParameterStore<float>(Graph.Graph);
        regularizers = new RegularizerSet<float>(model.Graph, Parameters, model.Plan.Regularization, model.Plan.Seed);
        withoutGradient = [.. Parameters.Slices.Where(slice => slice.Trainable && !Graph.ParameterGradients.ContainsKey(slice.Name))];
        accumulator = model.Plan.Accumulate > 1 ? new GradientAccumulator<float>(Parameters.Gradients.Length) : null;
        Optimizer = new OptimizerState<float>(Parameters, model.Plan.Optimizer);
        Parameters.Initialize(model.Plan.Seed);
        FlushToZero.Apply(Parameters.Values, pool);
        updates = new UpdateSize[Parameters.Slices.Count(slice => slice.Trainable)];
        feedback = model.Plan.Schedule.CreateFeedback();
        clippingState = new double[model.Plan.Clipping?.StateLength(Parameters.Slices) ?? 0];
        Probes = ProbeTable.For(model.Graph, Graph);
        // A gradient that nothing changes on its way from the backward pass to the optimizer is measured there.
        gradientsStay = model.Plan.Clipping is null && model.Plan.Regularization.Count == 0;
        Watch = watch ? new ProbeSet<float>(Probes, parameterGradientsLater: gradientsStay) : null;
        parameterWatch = Watch is null ? null : Optimizer.CreateWatch(Watch, ProbeOfEach(ProbeKind.Parameter), ProbeOfEach(gradientsStay ? ProbeKind.ParameterGradient : null));
        watchedUpdates = [.. WatchedUpdates()];
    }

    public ModelDefinition Model { get; private set; }

    public DataSplit Data { get; }

    public WorkerPool Pool { get; }

    /// <summary>The weight of each class in the loss, from the training data if they balance it; null for none.</summary>
    public IReadOnlyList<double>? ClassWeights { get; }

    public TrainingGraph Graph { get; }

    public ParameterStore<float> Parameters { get; }

    public OptimizerState<float> Optimizer { get; }

    /// <summary>What is watched, in a fixed order.</summary>
    public IReadOnlyList<Probe> Probes { get; }

    /// <summary>
    /// The measurements of the last step; null if nothing is watched. With micro-batches, those of parameters and their
    /// gradients are of the whole step, those of activations and their gradients of its last micro-batch.
    /// </summary>
    public ProbeSet<float>? Watch { get; }

    /// <summary>
    /// Whether numbers below the smallest normal one (2⁻¹²⁶) become zeros, as they should: gradients that die out pass
    /// through them, and many processors take a hundred times as long there. False to see what that costs.
    /// </summary>
    public bool FlushDenormals { get; init; } = true;

    /// <summary>Takes the time of each part of the steps from now on; null for none.</summary>
    public StepProfile? Profile { get; set; }

    /// <summary>The step that comes next, counted from 0.</summary>
    public long NextStep { get; private set; }

    public int StepsPerEpoch => order.StepsPerEpoch;

    public long TotalSteps => (long)StepsPerEpoch * Model.Plan.Epochs;

    public bool Finished => NextStep >= TotalSteps;

    /// <summary>
    /// The largest global norm of the gradient that the optimizer is given, beside the plan's clipping; ∞ for any. What is
    /// watched of parameter gradients is then what the optimizer is given.
    /// </summary>
    public double GradientLimit { get; set; } = double.PositiveInfinity;

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
        using FlushToZero flush = BeginFlush();
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
        using FlushToZero flush = BeginFlush();
        long started = Stopwatch.GetTimestamp();
        TrainingPlan plan = Model.Plan;
        double rate = NextLearningRate;
        bool limited = double.IsFinite(GradientLimit);
        Optimizer.Begin(plan.Optimizer, rate, NextStep + 1, measures: Watch is not null, parameterWatch, wantsNorm: plan.Clipping is null && !limited, waits: limited);
        double loss = Backpropagate(order.Rows(NextStep));
        long clock = Profile is null ? 0 : Stopwatch.GetTimestamp();
        double penalty = Regularize();
        double norm = double.NaN, clipped = double.NaN;
        if (plan.Clipping is { } clipping)
        {
            norm = Optimizer.GradientNorm(Pool);
            clipping.Apply(Parameters, norm, clippingState);
            clipped = Optimizer.GradientNorm(Pool);
        }
        if (limited)
        {
            clipped = double.IsNaN(norm) ? Optimizer.GradientNorm(Pool) : clipped;
            norm = double.IsNaN(norm) ? clipped : norm;
            new Clipping.ClipByGlobalNorm(GradientLimit).Apply(Parameters, clipped, []);
            clipped = Math.Min(clipped, GradientLimit);
        }
        clock = Profile?.Add("clipping", clock) ?? 0;
        double passed = Optimizer.End(Watch is null ? [] : updates, Pool);
        if (plan.Clipping is null && !limited)
        {
            norm = clipped = passed;
        }
        regularizers.Project(NextStep, Pool);
        if (FlushToZero.BySoftware)
        {
            FlushToZero.Apply(Parameters.Values, Pool);
            Optimizer.FlushDenormals(Pool);
        }
        clock = Profile?.Add("optimizer", clock) ?? 0;
        RecordUpdates();
        if (Profile is { } profile)
        {
            profile.Add("watch: updates", clock);
            profile.EndStep();
        }
        StepResult result = new(NextStep, (int)(NextStep / StepsPerEpoch), loss, rate, norm, clipped, Stopwatch.GetElapsedTime(started).TotalMilliseconds) { Penalty = penalty };
        NextStep++;
        return result;
    }

    /// <summary>Leaves a step out: its rows are not seen, nothing changes but the step that comes next.</summary>
    public void Skip() => NextStep++;

    /// <summary>Loss and metric over a whole data set, in evaluation mode.</summary>
    public Evaluation Evaluate(DataSet data) => evaluator.Evaluate(data);

    /// <summary>Whether the schedule listens to <see cref="ReportEpoch"/>.</summary>
    public bool ScheduleListens => feedback is not null;

    /// <summary>Tells a schedule that listens, such as plateau, how an epoch ended.</summary>
    public void ReportEpoch(Evaluation validation) =>
        feedback?.Report(feedback.Better == Better.Larger ? validation.Metric : validation.Loss);

    /// <summary>For each elementwise layer the number of units that no sample makes other than 0, and for maxout of those that are linear.</summary>
    public IReadOnlyList<UnitActivity> MeasureUnits(DataSet data, int samples = 512) => evaluator.MeasureUnits(data, samples);

    /// <summary>A look at values inside the network for a few training rows. The session disposes of it.</summary>
    /// <param name="rows">Rows wanted; fewer if there are not so many.</param>
    /// <param name="values">Values of the model's graph.</param>
    public ForwardProbe CreateForwardProbe(int rows, IEnumerable<Value> values)
    {
        ForwardProbe probe = new(this, rows, values);
        forwardProbes.Add(probe);
        return probe;
    }

    /// <summary>The memory that the steps of full batches need.</summary>
    public MemoryUse MeasureMemory()
    {
        ExecutionPlan<float> plan = PlanFor(order.Rows(0).Length);
        long block = (long)Parameters.Values.Length * sizeof(float);
        long scratch = (long)plan.ScratchElements * sizeof(float) + Enumerable.Range(0, Pool.Threads).Sum(worker => (long)Pool.Scratch(worker).Length);
        return new MemoryUse(block, block, (Model.Plan.Optimizer.StateCount + (accumulator is null ? 0 : 1)) * block,
            (long)plan.ArenaElements * sizeof(float), (long)plan.PeakAliveElements * sizeof(float), scratch);
    }

    public void Dispose()
    {
        foreach (ExecutionPlan<float> plan in plans.Values.Concat(forwardPlans.Values).Concat(halfPlans.Values))
        {
            plan.Dispose();
        }
        evaluator.Dispose();
        forwardProbes.ForEach(probe => probe.Dispose());
        Optimizer.Dispose();
        regularizers.Dispose();
        accumulator?.Dispose();
        Parameters.Dispose();
    }

    internal FlushToZero BeginFlush() => FlushDenormals ? FlushToZero.Begin() : default;

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
            if (gradientsStay && accumulator is null && !FlushToZero.BySoftware)
            {
                plan.AttachUpdates(Optimizer);
            }
            plans.Add(batch, plan);
        }
        return plan;
    }

    /// <summary>Forward and backward pass over a step's rows, in micro-batches if the plan says so; gives their mean loss.</summary>
    private double Backpropagate(ReadOnlySpan<int> rows)
    {
        double loss = accumulator is null ? Run(rows, NextStep, Watch) : RunParts(rows, accumulator);
        Watch?.CompleteStep();
        if (Watch is not null && accumulator is not null && !gradientsStay)
        {
            MeasureAccumulated(Watch);
        }
        return loss;
    }

    private double Run(ReadOnlySpan<int> rows, long randomStep, ProbeSet<float>? probe)
    {
        ExecutionPlan<float> execution = PlanFor(rows.Length);
        long clock = Profile is null ? 0 : Stopwatch.GetTimestamp();
        feed.Fill(execution, rows);
        Profile?.Add("batch", clock);
        execution.Run(training: true, Model.Plan.Seed, randomStep, probe, Profile);
        return execution.Real(Graph.Loss).Span[0];
    }

    private double RunParts(ReadOnlySpan<int> rows, GradientAccumulator<float> sum)
    {
        int parts = Parts(rows.Length);
        double whole = feed.Weight(rows);
        double loss = 0;
        sum.Clear();
        for (int part = 0, start = 0; part < parts; part++)
        {
            int end = (int)((long)rows.Length * (part + 1) / parts);
            ReadOnlySpan<int> micro = rows[start..end];
            // Each part draws its own random numbers. The activations that are watched are the last part's.
            double mean = Run(micro, NextStep * Model.Plan.Accumulate + part, part == parts - 1 ? Watch : null);
            double share = feed.Weight(micro) / whole;
            if (share != 0) // a part whose classes all have the weight 0 has the mean 0/0
            {
                loss += share * mean;
                sum.Add(Parameters.Gradients, share, Pool);
            }
            start = end;
        }
        sum.CopyTo(Parameters.Gradients);
        return loss;
    }

    /// <summary>
    /// A smaller last batch is cut into fewer parts, no larger than those of the others, and into none of a single row,
    /// which batch normalization could not take, unless all are.
    /// </summary>
    private int Parts(int rows)
    {
        int each = MicroBatchRows ?? Model.Plan.MicroBatch(Data.Training.Count);
        return Math.Clamp((rows + each - 1) / each, 1, Math.Max(1, Math.Min(Model.Plan.Accumulate, each > 1 ? rows / 2 : rows)));
    }

    /// <summary>The gradients of parameters are watched as they are added up over all parts.</summary>
    private void MeasureAccumulated(ProbeSet<float> watch)
    {
        for (int i = 0; i < Probes.Count; i++)
        {
            if (Probes[i].Kind == ProbeKind.ParameterGradient)
            {
                watch.Measure(i, Parameters.Gradient(Parameters.Find(Probes[i].Node.Name)), Pool);
            }
        }
    }

    /// <summary>
    /// Penalties and noise. The watched gradients are measured before, since an L2 term would hide one that vanishes.
    /// </summary>
    private double Regularize()
    {
        foreach (ParameterSlice slice in withoutGradient)
        {
            Parameters.Gradient(slice).Span.Clear(); // no kernel writes it, so the last step's penalty would remain
        }
        return regularizers.AddToGradients(NextStep, Pool);
    }

    /// <summary>For each of the optimizer's parameters the probe of a kind; −1 for none.</summary>
    private int[] ProbeOfEach(ProbeKind? kind)
    {
        int[] probes = new int[Optimizer.Slices.Count];
        Array.Fill(probes, -1);
        for (int i = 0; i < Probes.Count; i++)
        {
            if (Probes[i].Kind == kind)
            {
                probes[Optimizer.IndexOf(Probes[i].Node.Name)] = i;
            }
        }
        return probes;
    }

    private List<(int Probe, int Length, int Update)> WatchedUpdates()
    {
        List<(int, int, int)> watched = [];
        for (int probe = 0; probe < Probes.Count; probe++)
        {
            if (Watch is not null && Probes[probe].Kind == ProbeKind.ParameterUpdate)
            {
                string name = Probes[probe].Node.Name;
                watched.Add((probe, Parameters.Find(name).Length, Optimizer.IndexOf(name)));
            }
        }
        return watched;
    }

    private void RecordUpdates()
    {
        foreach ((int probe, int length, int update) in watchedUpdates)
        {
            ref readonly UpdateSize size = ref updates[update];
            Watch!.SetUpdate(probe, length, size.L2, size.MaxAbs, size.Unchanged);
        }
    }
}
