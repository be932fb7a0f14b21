using Fathom.Training.Clipping;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;

namespace Fathom.Training;

/// <summary>How a network is trained: everything that is not the network itself.</summary>
public sealed record TrainingPlan
{
    public required Loss Loss { get; init; }

    /// <summary>Weights of the classes in the loss; null for none.</summary>
    public ClassWeights? ClassWeights { get; init; }

    public required Optimizer Optimizer { get; init; }

    public Schedule Schedule { get; init; } = ConstantSchedule.Instance;

    public GradientClipping? Clipping { get; init; }

    /// <summary>Scales the weights by the first batch before step 1; null for weights as they are drawn.</summary>
    public Lsuv? Initialization { get; init; }

    /// <summary>Trains the hidden layers one by one without labels before step 1; null for none.</summary>
    public PretrainingRule? Pretraining { get; init; }

    /// <summary>Penalties, noise and bounds beside the loss, applied in this order.</summary>
    public ValueList<Regularizer> Regularization { get; init; }

    /// <summary>What is reported beside the loss and the main metric (accuracy for labels, R² for values).</summary>
    public ValueList<Metric> Metrics { get; init; }

    /// <summary>A <see cref="BatchSize"/> that takes all training data in each step.</summary>
    public const int FullBatch = int.MaxValue;

    /// <summary>
    /// Samples per step; at least 1. 1 is descent on single samples, <see cref="FullBatch"/> full-batch descent.
    /// </summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>
    /// Micro-batches of a step, 1 or more: the batch is run in so many parts of equal size, whose gradients are added up
    /// before the one update. The memory needed is that of a part. The step is that of the whole batch up to rounding,
    /// but for layers that look at a batch as a whole, such as batch normalization, which see a part, and for dropout,
    /// which draws for each part anew.
    /// </summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>
    /// Whether most activations are given up in the forward pass and computed again in the backward pass (activation
    /// checkpointing): the memory of about √n of n layers for at most one more forward pass. Changes no result.
    /// </summary>
    public bool Recompute { get; init; }

    /// <summary>Passes over the training data; at least 1.</summary>
    public int Epochs { get; init; } = 20;

    /// <summary>Seed of initialisation, data order and dropout.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>What <c>fathom train</c> does at a finding of severity error.</summary>
    public FindingAction OnFinding { get; init; }

    /// <summary>The number format that the network is meant for; nothing is computed in it.</summary>
    public Precision Precision { get; init; }

    /// <summary>Samples that go through the network at once, if there are so many rows of training data.</summary>
    public int MicroBatch(int rows) => Math.Max(1, Math.Min(BatchSize, rows) / Accumulate);

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public void Validate()
    {
        Loss.Validate();
        ClassWeights?.Validate();
        Optimizer.Validate();
        Schedule.Validate();
        Clipping?.Validate();
        foreach (Regularizer regularizer in Regularization)
        {
            regularizer.Validate();
        }
        foreach (Metric metric in Metrics)
        {
            metric.Validate();
        }
        Initialization?.Validate();
        Pretraining?.Validate();
        if (Initialization is not null && Pretraining is not null)
        {
            throw new TrainingException("initialization lsuv and pretraining both decide the weights before step 1; give one of them");
        }
        if (BatchSize < 1)
        {
            throw new TrainingException($"batch is {BatchSize}; it must be 1 or more");
        }
        if (Accumulate < 1 || Accumulate > BatchSize)
        {
            throw new TrainingException($"accumulate is {Accumulate}; it must be from 1 to the batch, which is {BatchSize}");
        }
        if (Epochs < 1)
        {
            throw new TrainingException($"epochs is {Epochs}; it must be 1 or more");
        }
    }
}
