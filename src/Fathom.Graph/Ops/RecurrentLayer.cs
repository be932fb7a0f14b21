using System.Collections.Immutable;
using System.Numerics;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// What recurrent layers have in common: one layer that reads a sequence in one direction, as one node.
/// Data inputs: x (N, T, in), then mask (N, T) if <paramref name="Masked"/>, then optionally the states to start from, each
/// (N, units); without them a sequence starts from zeros. Parameters, gates stacked on axis 0 and named as in PyTorch
/// (<c>layer.weight_ih_l0</c>): weight_ih (gates·units, in), weight_hh (gates·units, units), bias_ih and bias_hh (gates·units).
/// Outputs: y (N, T, units), the state h of each step; h_n (N, units), the state after the last one; then what the backward
/// pass reads. Where the mask is 0, the state stays as it is, y repeats it, and x there has no gradient.
/// weight_ih starts as Xavier uniform and weight_hh as orthogonal, each gate's block by itself: a fan is that of one gate.
/// </summary>
/// <param name="Units">Size of the state.</param>
/// <param name="Bias">Whether there are biases.</param>
/// <param name="RecurrentBias">Whether there is a second bias, bias_hh, as in PyTorch; Keras has one bias.</param>
/// <param name="Reverse">Whether the sequence is read from its end; y stays in the order of time.</param>
/// <param name="Masked">Whether a mask follows x: 1 for a step that counts, 0 for padding.</param>
/// <param name="Truncate">0 for back-propagation through all of time; k cuts the gradient of the state before every k-th step (Williams and Peng 1990).</param>
public abstract record RecurrentLayer(int Units, bool Bias, bool RecurrentBias, bool Reverse, bool Masked, int Truncate) : Op
{
    /// <summary>Gates, the candidate included: how many blocks of rows the weights have.</summary>
    public abstract int Gates { get; }

    /// <summary>States that go from step to step: 2 for an LSTM (h and c), otherwise 1.</summary>
    public abstract int States { get; }

    /// <summary>
    /// The output with the gates' values at each step, (T, N, gates·units), steps in the order in which they are read; −1 for a
    /// layer without gates. What stands there for a step that is padding has no meaning.
    /// </summary>
    public virtual int GateOutput => -1;

    /// <summary>Names of the gates' blocks in <see cref="GateOutput"/>; empty for one that is no gate but the candidate.</summary>
    public virtual ImmutableArray<string> GateNames => [];

    /// <summary>How the first bias starts.</summary>
    internal virtual Initializer DefaultBias => ConstantInitializer.Zeros;

    /// <summary>Whether bias_hh has a gradient of its own; otherwise both biases are added and share one.</summary>
    internal virtual bool RecurrentBiasGradient => false;

    internal int ParameterInputs => 2 + (Bias ? 1 : 0) + (Bias && RecurrentBias ? 1 : 0);

    /// <summary>First of the outputs that only the backward pass reads.</summary>
    internal int FirstCache => 1 + States;

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape x = dataInputs[0].Shape;
        if (Units < 1 || x.Rank != 3 || x[2].PerSample)
        {
            return [];
        }
        int rows = checked(Gates * Units);
        List<ParameterSlot> slots =
        [
            new("weight_ih", Shape.Of(rows, x[2]), VarianceScaling.XavierUniform) { Blocks = Gates },
            new("weight_hh", Shape.Of(rows, Units), new Orthogonal()) { Blocks = Gates },
        ];
        if (Bias)
        {
            slots.Add(new ParameterSlot("bias_ih", Shape.Of(rows), DefaultBias));
        }
        if (Bias && RecurrentBias)
        {
            slots.Add(new ParameterSlot("bias_hh", Shape.Of(rows), ConstantInitializer.Zeros));
        }
        return [.. slots];
    }

    /// <summary>PyTorch's names for a recurrent module of one layer.</summary>
    public override string ParameterName(string layer, string slot) => $"{layer}.{slot}_l0{(Reverse ? "_reverse" : "")}";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        CheckAttributes(scope);
        int least = 1 + (Masked ? 1 : 0);
        if (scope.Inputs.Length > 0)
        {
            CheckSequence(scope);
        }
        int data = scope.Inputs.Length - ParameterInputs;
        if (data < least || data > least + States)
        {
            string mask = Masked ? " and a mask (N, T)" : "";
            string states = States == 2 ? "h and c" : "h";
            throw scope.Error($"the data inputs x (N, T, in){mask}, and after them {states} to start from or nothing", $"{Math.Max(data, scope.Inputs.Length == 0 ? 0 : 1)}");
        }
        Shape x = scope.Shape(0);
        for (int i = 1; i < data; i++)
        {
            scope.RequireKind(i, ElementKind.Real);
            scope.RequireShape(i, i < least ? Shape.Of(x[0], x[1]) : Shape.Of(x[0], Units));
        }
        int rows = checked(Gates * Units);
        scope.RequireShape(data, Shape.Of(rows, x[2]));
        scope.RequireShape(data + 1, Shape.Of(rows, Units));
        for (int i = data + 2; i < scope.Inputs.Length; i++)
        {
            scope.RequireShape(i, Shape.Of(rows));
        }
        TensorType state = new(Shape.Of(x[0], Units));
        return [new TensorType(x.WithLast(Units)), .. Enumerable.Repeat(state, States), .. Caches(x)];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes)
    {
        int[] x = inputShapes[0];
        return checked(Sequence.Padded(x[0] * x[1] * x[2]) + Sequence.Padded(Gates * Units * Units) + Sequence.Padded(Gates * Units));
    }

    public override void Differentiate(GradientScope scope)
    {
        RecurrentInputs inputs = RecurrentInputs.Of(this, scope.Node.Inputs.Length);
        Value?[] upstream = [.. Enumerable.Range(0, 1 + States).Select(scope.OutputGradient)];
        RecurrentGradient op = new(this, inputs.InitialStates, scope.Needs(0), upstream[0] is not null, upstream[1] is not null, States > 1 && upstream[2] is not null);
        if (!op.Arrives || !Enumerable.Range(0, scope.Node.Inputs.Length).Any(scope.Needs))
        {
            return;
        }
        List<Value> given = [.. upstream.OfType<Value>()];
        given.AddRange(Enumerable.Range(0, inputs.WeightHh + 1).Select(scope.Input));
        given.AddRange(Enumerable.Range(FirstCache, scope.Node.Outputs.Length - FirstCache).Select(scope.Output));
        Node gradient = scope.Emit(op, "through_time", given.ToArray()).Node;
        void Contribute(int input, int output)
        {
            if (input >= 0 && scope.Needs(input))
            {
                scope.Contribute(input, new Value(gradient, output));
            }
        }
        Contribute(inputs.WeightIh, op.WeightIhOutput);
        Contribute(inputs.WeightHh, op.WeightHhOutput);
        Contribute(inputs.BiasIh, op.BiasIhOutput);
        Contribute(inputs.BiasHh, RecurrentBiasGradient ? op.BiasHhOutput : op.BiasIhOutput);
        Contribute(0, op.InputOutput);
        Contribute(inputs.H0, op.H0Output);
        Contribute(inputs.C0, op.C0Output);
    }

    /// <summary>Types of the outputs that only the backward pass reads; the first is h before step 0, 1, … T: (T + 1, N, units).</summary>
    internal abstract IEnumerable<TensorType> Caches(Shape x);

    /// <summary>Computes the outputs of <see cref="RecurrentGradient"/>.</summary>
    internal abstract void RunGradient<T>(in KernelContext<T> context, RecurrentGradient op) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>Elements of scratch memory that the backward pass wants beside what every cell does.</summary>
    internal abstract int GradientScratch(int samples, int steps);

    private void CheckAttributes(ShapeScope scope)
    {
        if (Units < 1)
        {
            throw scope.BadAttribute("units", Units, "1 or more");
        }
        if (Truncate < 0)
        {
            throw scope.BadAttribute("truncate", Truncate, "0 for no truncation, or a number of steps");
        }
    }

    private static void CheckSequence(ShapeScope scope)
    {
        scope.RequireKind(0, ElementKind.Real);
        Shape x = scope.Shape(0);
        if (x.Rank != 3 || x[1].PerSample || x[2].PerSample || x[1].Size < 1)
        {
            throw scope.Error("a sequence (N, T, features) whose length T and features have fixed sizes", $"shape {x}");
        }
    }
}

/// <summary>Where the inputs of a recurrent layer stand among its node's; −1 for one that it does not have.</summary>
/// <param name="Mask">The mask.</param>
/// <param name="H0">The state to start from.</param>
/// <param name="C0">The cell to start from.</param>
/// <param name="WeightIh">weight_ih.</param>
/// <param name="WeightHh">weight_hh.</param>
/// <param name="BiasIh">bias_ih.</param>
/// <param name="BiasHh">bias_hh.</param>
public readonly record struct RecurrentInputs(int Mask, int H0, int C0, int WeightIh, int WeightHh, int BiasIh, int BiasHh)
{
    public int InitialStates => (H0 >= 0 ? 1 : 0) + (C0 >= 0 ? 1 : 0);

    /// <summary>The places in a node of so many inputs.</summary>
    public static RecurrentInputs Of(RecurrentLayer layer, int inputs)
    {
        int data = inputs - layer.ParameterInputs;
        int states = 1 + (layer.Masked ? 1 : 0);
        return new RecurrentInputs(layer.Masked ? 1 : -1, data > states ? states : -1, data > states + 1 ? states + 1 : -1,
            data, data + 1, layer.Bias ? data + 2 : -1, layer.Bias && layer.RecurrentBias ? data + 3 : -1);
    }
}
