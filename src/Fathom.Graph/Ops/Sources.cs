using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;
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

    /// <summary>Matrices stacked on axis 0, such as an LSTM's 4 gates: each starts by itself, with fans of its own.</summary>
    public int Blocks { get; init; } = 1;

    /// <summary>Fan-in and fan-out of a block by its shape.</summary>
    public Fans Fans => Fans.Of(BlockShape);

    private Shape BlockShape => Blocks == 1 ? Shape : new Shape(Shape.Dims.SetItem(0, Shape[0].Size / Blocks));

    /// <summary>Fills the parameter before step 1. The first block has the key's own random numbers.</summary>
    /// <param name="key">Key of the random numbers.</param>
    /// <param name="target">The elements, row-major.</param>
    public void Fill<T>(RandomKey key, Buffer<T> target) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int length = target.Length / Blocks;
        for (int block = 0; block < Blocks; block++)
        {
            RandomKey own = key with { Stream = unchecked(key.Stream + (uint)block * 0x9E3779B9u) };
            Initializer.Fill(BlockShape, own, target.Slice(block * length, length));
        }
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => Initializer.Requirement(BlockShape) is { } required
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
