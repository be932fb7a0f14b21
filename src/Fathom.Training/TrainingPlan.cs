using Fathom.Training.Clipping;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Schedules;

namespace Fathom.Training;

/// <summary>How a network is trained: everything that is not the network itself.</summary>
public sealed record TrainingPlan
{
    public required Loss Loss { get; init; }

    public required Optimizer Optimizer { get; init; }

    public Schedule Schedule { get; init; } = ConstantSchedule.Instance;

    public GradientClipping? Clipping { get; init; }

    /// <summary>Scales the weights by the first batch before step 1; null for weights as they are drawn.</summary>
    public Lsuv? Initialization { get; init; }

    /// <summary>Trains the hidden layers one by one without labels before step 1; null for none.</summary>
    public PretrainingRule? Pretraining { get; init; }

    /// <summary>Samples per step; at least 1.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Passes over the training data; at least 1.</summary>
    public int Epochs { get; init; } = 20;

    /// <summary>Seed of initialisation, data order and dropout.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public void Validate()
    {
        Loss.Validate();
        Optimizer.Validate();
        Schedule.Validate();
        Clipping?.Validate();
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
        if (Epochs < 1)
        {
            throw new TrainingException($"epochs is {Epochs}; it must be 1 or more");
        }
    }
}
