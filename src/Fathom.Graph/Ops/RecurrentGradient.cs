using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Back-propagation through time (Werbos 1990). Inputs: the gradients that arrive (of y, h_n, c_n, those that there are),
/// the layer's data inputs and weights, then what the forward pass kept. Outputs: the total gradient of the loss by the
/// state h of each step, through the steps after it too, as (T, N, units) with time first, so that a step is one stretch of
/// memory; the gradients of weight_ih, weight_hh, bias_ih, bias_hh if it has one of its own; of x if it is asked for; and
/// of the states that the sequence starts from.
/// </summary>
/// <param name="Layer">The layer.</param>
/// <param name="InitialStates">How many states the sequence starts from.</param>
/// <param name="Input">Whether the gradient of x is asked for.</param>
/// <param name="OutputArrives">Whether a gradient of y arrives.</param>
/// <param name="HiddenArrives">Whether a gradient of h_n arrives.</param>
/// <param name="CellArrives">Whether a gradient of c_n arrives.</param>
public sealed record RecurrentGradient(RecurrentLayer Layer, int InitialStates, bool Input, bool OutputArrives, bool HiddenArrives, bool CellArrives) : Op
{
    /// <summary>The output with the total gradient of each step's state.</summary>
    public const int StateOutput = 0;

    public override string Kind => Layer.Kind + "_gradient";

    internal bool Arrives => Arriving > 0;

    internal int OutputInput => OutputArrives ? 0 : -1;

    internal int HiddenInput => HiddenArrives ? Count(OutputArrives) : -1;

    internal int CellInput => CellArrives ? Count(OutputArrives) + Count(HiddenArrives) : -1;

    internal int XInput => Arriving;

    internal int MaskInput => Layer.Masked ? XInput + 1 : -1;

    internal int WeightIhInput => XInput + 1 + Count(Layer.Masked) + InitialStates;

    internal int WeightHhInput => WeightIhInput + 1;

    /// <summary>The first of the forward pass's outputs that only the backward pass reads.</summary>
    internal int CacheInput => WeightIhInput + 2;

    internal int WeightIhOutput => 1;

    internal int WeightHhOutput => 2;

    internal int BiasIhOutput => Layer.Bias ? 3 : -1;

    internal int BiasHhOutput => OwnRecurrentBias ? 4 : -1;

    internal int InputOutput => Input ? FirstOptional : -1;

    internal int H0Output => InitialStates > 0 ? FirstOptional + Count(Input) : -1;

    internal int C0Output => InitialStates > 1 ? H0Output + 1 : -1;

    private int Arriving => Count(OutputArrives) + Count(HiddenArrives) + Count(CellArrives);

    private bool OwnRecurrentBias => Layer.Bias && Layer.RecurrentBias && Layer.RecurrentBiasGradient;

    private int FirstOptional => 3 + Count(Layer.Bias) + Count(OwnRecurrentBias);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        Shape x = scope.Shape(XInput);
        List<TensorType> outputs = [new(Shape.Of(x[1], x[0], Layer.Units)), scope[WeightIhInput], scope[WeightHhInput]];
        TensorType bias = new(Shape.Of(Layer.Gates * Layer.Units));
        outputs.AddRange(Enumerable.Repeat(bias, Count(Layer.Bias) + Count(OwnRecurrentBias)));
        if (Input)
        {
            outputs.Add(scope[XInput]);
        }
        outputs.AddRange(Enumerable.Repeat(new TensorType(Shape.Of(x[0], Layer.Units)), InitialStates));
        return [.. outputs];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes)
    {
        int[] x = inputShapes[XInput];
        int sequence = Sequence.Padded(x[0] * x[1] * x[2]);
        int gates = Sequence.Padded(x[0] * x[1] * Layer.Gates * Layer.Units);
        return checked(sequence + gates + 2 * Sequence.Padded(x[0] * Layer.Units) + Sequence.Padded(TurnedElements(x[2])) + Layer.GradientScratch(x[0], x[1]));
    }

    /// <summary>Room for the gradient of the larger weight, transposed.</summary>
    internal int TurnedElements(int features) => checked(Layer.Gates * Layer.Units * Math.Max(Layer.Units, features));

    public override void Run<T>(in KernelContext<T> context) => Layer.RunGradient(in context, this);

    private static int Count(bool present) => present ? 1 : 0;
}
