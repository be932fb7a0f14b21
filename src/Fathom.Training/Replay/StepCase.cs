using Fathom.Compute;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Schedules;

namespace Fathom.Training.Replay;

/// <summary>
/// One training step with all that decides it, and nothing else: network and plan, the state before the step, the rows of its
/// batch and the learning rate. A session opened from it does that step bit for bit.
/// </summary>
public sealed record StepCase
{
    /// <summary>
    /// Network and plan of this one step: class weights as numbers, no schedule (<see cref="LearningRate"/> has it), no
    /// preparation, no data.
    /// </summary>
    public required ModelDefinition Model { get; init; }

    /// <summary>The rows of the batch, in the order in which the step sees them.</summary>
    public required DataSet Batch { get; init; }

    /// <summary>Parameters, running statistics, optimizer state and what clipping remembers before the step.</summary>
    public required Checkpoint State { get; init; }

    /// <summary>The learning rate that the step applies, schedule included; 0 or more.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Rows of a micro-batch in the run.</summary>
    public required int MicroBatch { get; init; }

    /// <summary>The step, counted from 0.</summary>
    public long Step => State.NextStep;

    /// <summary>The step that comes next in a session.</summary>
    public static StepCase Of(TrainingSession session)
    {
        TrainingPlan plan = session.Model.Plan;
        Checkpoint state = session.Capture();
        return new StepCase
        {
            Model = session.Model with
            {
                Data = null,
                Plan = plan with
                {
                    Schedule = new ConstantSchedule(),
                    ClassWeights = session.ClassWeights is { } weights ? new ClassWeights([.. weights]) : null,
                    Initialization = null,
                    Pretraining = null,
                    Metrics = [],
                },
            },
            Batch = session.Data.Training.Subset(session.RowsOf(session.NextStep)),
            State = state with { LearningRateScale = 1, ScheduleKind = new ConstantSchedule().Kind, Schedule = [] },
            LearningRate = session.NextLearningRate,
            MicroBatch = plan.MicroBatch(session.Data.Training.Count),
        };
    }

    /// <summary>A session that stands before the step.</summary>
    /// <param name="pool">Workers; not disposed by the session.</param>
    /// <param name="watch">Whether every tensor is measured.</param>
    /// <exception cref="TrainingException">State, batch and network do not fit.</exception>
    public TrainingSession Open(WorkerPool pool, bool watch = true)
    {
        TrainingPlan plan = Model.Plan;
        // A rate of 0 is no setting of an optimizer, but a factor may be 0.
        plan = LearningRate > 0 ? plan with { Optimizer = plan.Optimizer with { LearningRate = LearningRate } } : plan;
        DataSet rows = InOrder(plan);
        TrainingSession session = new(Model with { Plan = plan }, new DataSplit(rows, rows), pool, watch) { MicroBatchRows = MicroBatch };
        try
        {
            session.Restore(State with { LearningRateScale = LearningRate > 0 ? 1 : 0 });
        }
        catch
        {
            session.Dispose();
            throw;
        }
        return session;
    }

    /// <summary>The rows laid so that a session, which shuffles them, sees them in the order of the batch.</summary>
    private DataSet InOrder(TrainingPlan plan)
    {
        ReadOnlySpan<int> shuffled = new BatchOrder(Batch.Count, Math.Min(plan.BatchSize, Batch.Count), plan.Seed).Rows(Step);
        if (shuffled.Length != Batch.Count)
        {
            throw new TrainingException($"the step's batch has {Batch.Count} rows; its plan takes {plan.BatchSize}");
        }
        int[] places = new int[shuffled.Length];
        for (int i = 0; i < shuffled.Length; i++)
        {
            places[shuffled[i]] = i;
        }
        return Batch.Subset(places);
    }
}
