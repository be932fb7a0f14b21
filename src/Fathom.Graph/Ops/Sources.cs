using System.Collections.Immutable;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>A node whose value comes from outside the graph's own arithmetic.</summary>
public abstract record Source : Op
{
    public abstract TensorType Type { get; init; }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(0);
        return [Type];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        // Its memory is filled before the step.
    }
}

/// <summary>Data that is fed in each step: a batch of inputs or of targets.</summary>
public sealed record Input(TensorType Type) : Source
{
    public override string Kind => "input";

    public override TensorType Type { get; init; } = Type;
}

/// <summary>Weights, biases and running statistics.</summary>
/// <param name="Shape">Shape, without batch. A weight is (out, in, kernel…).</param>
/// <param name="Initializer">How it is filled before step 1.</param>
/// <param name="Trainable">False for running statistics and frozen weights: no optimizer touches them.</param>
public sealed record Parameter(Shape Shape, Initializer Initializer, bool Trainable = true) : Source
{
    public override string Kind => "parameter";

    public override TensorType Type { get; init; } = new(Shape);

    /// <summary>Fan-in and fan-out by the shape.</summary>
    public Fans Fans => Fans.Of(Shape);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => Initializer.Requirement(Shape) is { } required
        ? throw scope.Error($"{required}, which the initializer {Initializer.Kind} needs", $"shape {Shape}")
        : base.Infer(scope);
}

/// <summary>A tensor of one repeated number.</summary>
public sealed record Constant(Shape Shape, double Number) : Source
{
    public override string Kind => "constant";

    public override TensorType Type { get; init; } = new(Shape);

    public override void Run<T>(in KernelContext<T> context) => context.Output(0).Span.Fill(T.CreateTruncating(Number));
}
