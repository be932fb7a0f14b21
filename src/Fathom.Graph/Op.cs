using System.Collections.Immutable;
using System.Numerics;

namespace Fathom.Graphs;

/// <summary>
/// A kind of node: its shape rule, its kernel, its gradient, and what theory needs to know of it. An op is a value:
/// two ops with equal attributes are equal. One file per op; adding one means adding its file, a line in
/// <see cref="OpCatalog"/> if a model file may name it, and its test.
/// </summary>
public abstract record Op
{
    /// <summary>The name in model files, messages and node names, such as <c>dense</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>
    /// The parameters that a layer of this op owns; they follow the data inputs in the order given here. Called with one
    /// data input or more; returns none where they do not suit, so that <see cref="Infer"/> can say what is wrong.
    /// </summary>
    public virtual ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) => [];

    /// <summary>What a layer calls one of its parameters, unless who adds the layer names it: <c>layer.slot</c>.</summary>
    /// <param name="layer">The layer's name.</param>
    /// <param name="slot">The parameter's name within the layer, as in <see cref="Slots"/>.</param>
    public virtual string ParameterName(string layer, string slot) => $"{layer}.{slot}";

    /// <summary>The types of the outputs, or a <see cref="GraphException"/> that says what is wrong with the inputs.</summary>
    public abstract ImmutableArray<TensorType> Infer(ShapeScope scope);

    /// <summary>Computes the outputs from the inputs. Must not allocate, and must not depend on the thread count.</summary>
    public abstract void Run<T>(in KernelContext<T> context) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>Adds the nodes that carry the gradient from the outputs to the inputs.</summary>
    public virtual void Differentiate(GradientScope scope) =>
        throw new GraphException($"{scope.Node.Name} ({Kind}): this op has no gradient");

    /// <summary>Elements of scratch memory that <see cref="Run{T}"/> wants, for the bound shapes.</summary>
    public virtual int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 0;

    /// <summary>
    /// True if a sample of the outputs is computed from the same sample of the inputs (and from inputs without a batch
    /// axis), by the same arithmetic whatever the other samples are and however many: a plan may then run the op on some of
    /// the samples at a time.
    /// </summary>
    public virtual bool IsPerSample => false;

    /// <summary>
    /// About how many floating-point operations <see cref="Run{T}"/> takes for the bound shapes, where it takes so few that
    /// one thread may do it beside others; infinite if it is always given all threads.
    /// </summary>
    public virtual double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => double.PositiveInfinity;

    /// <summary>True if <see cref="Run{T}"/> has time to ask memory for what is read after it; see <see cref="KernelContext{T}.Ahead"/>.</summary>
    public virtual bool FetchesAhead => false;

    /// <summary>True if output 0 is input 0 with another shape, so that both can share their memory.</summary>
    public virtual bool IsView => false;

    /// <summary>
    /// True if output 0 may lie where this input does: both have as many elements, and each is written after the input's
    /// element of the same place, and whatever else of that input its value depends on, has been read for the last time.
    /// </summary>
    public virtual bool MayOverwrite(int input) => false;

    /// <summary>Number of elements of a bound shape.</summary>
    internal static double Elements(int[] shape)
    {
        double product = 1;
        foreach (int extent in shape)
        {
            product *= extent;
        }
        return product;
    }

    /// <summary>True for losses and other nodes whose outputs are not activations of the network.</summary>
    public virtual bool IsLoss => false;

    /// <summary>Outputs at or beyond these bounds count as saturated; null if the op cannot saturate.</summary>
    public virtual SaturationRegion? Saturation => null;

    /// <summary>
    /// Values that this op assigns to parameters after a training step, such as running statistics: pairs of an input
    /// index (the parameter) and an output index (its new value).
    /// </summary>
    public virtual ImmutableArray<(int Input, int Output)> Updates => [];

    /// <summary>Outputs beside the first that are there to be read, such as attention weights: their index and what they are called.</summary>
    public virtual ImmutableArray<(int Output, string Name)> Readings => [];

    /// <summary>How theory carries moments through this op, or null if it has to sample.</summary>
    public virtual MomentRule? Moments => null;
}

/// <summary>A parameter that a layer creates for itself.</summary>
public sealed record ParameterSlot(string Name, Shape Shape, Initializers.Initializer Initializer, bool Trainable = true)
{
    /// <summary>Matrices stacked on axis 0, such as an LSTM's 4 gates: each starts by itself, with fans of its own.</summary>
    public int Blocks { get; init; } = 1;

    /// <summary>The parameter that fills the slot, with another initializer if one is given.</summary>
    internal Ops.Parameter Create(Initializers.Initializer? initializer = null) => new(Shape, initializer ?? Initializer, Trainable) { Blocks = Blocks };
}

/// <summary>The outputs that count as saturated: at or below <paramref name="Low"/>, at or above <paramref name="High"/>.</summary>
public sealed record SaturationRegion(double Low, double High);
