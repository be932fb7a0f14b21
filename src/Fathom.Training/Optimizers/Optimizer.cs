using System.Numerics;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>A rule that turns a gradient into an update. A value; one file per optimizer.</summary>
public abstract record Optimizer
{
    /// <summary>The name in model files, such as <c>sgd</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Learning rate before any schedule; greater than 0.</summary>
    public abstract double LearningRate { get; init; }

    /// <summary>Tensors of state per parameter, such as Adam's two moments. They start at <see cref="InitialState"/>.</summary>
    public abstract int StateCount { get; }

    /// <summary>Value of a state tensor before the first step.</summary>
    public virtual double InitialState(int state) => 0;

    /// <summary>
    /// Computes the change of a piece of one parameter. Must be elementwise in the piece: a tensor is handed over in
    /// several pieces, small enough to stay in cache. Scalars such as bias corrections are computed in double.
    /// </summary>
    public abstract void Update<T>(in UpdateScope<T> scope) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>An error that names the setting, its value and what is allowed.</summary>
    public virtual void Validate()
    {
        if (!(LearningRate > 0) || double.IsInfinity(LearningRate))
        {
            throw new TrainingException($"{Kind}: learning_rate is {FormattableString.Invariant($"{LearningRate}")}; it must be greater than 0 and finite");
        }
    }
}

/// <summary>A piece of one parameter and what belongs to it. All spans have the same length.</summary>
public readonly ref struct UpdateScope<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The parameter before the step; read only.</summary>
    public required ReadOnlySpan<T> Values { get; init; }

    /// <summary>Its gradient, after clipping. May be overwritten as scratch.</summary>
    public required Span<T> Gradient { get; init; }

    /// <summary>Receives the change, which is then added to the parameter.</summary>
    public required Span<T> Delta { get; init; }

    /// <summary>Scratch memory.</summary>
    public required Span<T> Scratch { get; init; }

    /// <summary>Memory of all states of this optimizer.</summary>
    public required ReadOnlySpan<Buffer<T>> States { private get; init; }

    /// <summary>Where this piece starts in the states.</summary>
    public required int Offset { private get; init; }

    /// <summary>Learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Number of this step, counted from 1.</summary>
    public required long Step { get; init; }

    /// <summary>This piece of a state tensor.</summary>
    public Span<T> State(int index) => States[index].Slice(Offset, Values.Length).Span;
}
