using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Fully connected layer y = x·Wᵀ + b. Inputs: x (…, in), weight (units, in), bias (units) if there is one.
/// Output: (…, units); with weight standardization also the weight that is read, and its units' means and scales.
/// </summary>
/// <param name="Units">Number of outputs; at least 1.</param>
/// <param name="Bias">Whether a bias is added.</param>
/// <param name="WeightStandardization">Whether each unit's weights are read with mean 0 and one size.</param>
public sealed record Dense(int Units, bool Bias = true, WeightStandardization WeightStandardization = WeightStandardization.None) : Op
{
    public override string Kind => "dense";

    public override bool IsPerSample => !Standardizes;

    public override bool FetchesAhead => true;

    private bool Standardizes => WeightStandardization != WeightStandardization.None;

    public override MomentRule? Moments => new(Propagate, PullBack)
    {
        PullBack = (scope, input) => input switch
        {
            0 => scope.Upstream with { SecondMoment = PullBack(scope.Forward, 0) },
            1 => new Moments(0, scope.UsesOf(Units) * WeightGradient(scope), 0),
            _ => new Moments(0, scope.UsesOf(Units) * scope.Coherence(new Moments(1, 1, 1)), 0),
        },
    };

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape x = dataInputs[0].Shape;
        if (Units < 1 || x.Rank < 1 || x[^1].PerSample)
        {
            return [];
        }
        ParameterSlot weight = new("weight", Shape.Of(Units, x[^1]), VarianceScaling.XavierUniform);
        return Bias ? [weight, new ParameterSlot("bias", Shape.Of(Units), ConstantInitializer.Zeros)] : [weight];
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (Units < 1)
        {
            throw scope.BadAttribute("units", Units, "1 or more");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            scope.RequireRank(0, 1);
            if (scope.Shape(0)[^1].PerSample)
            {
                throw scope.Error("an input whose last axis has a fixed size (…, in)", $"shape {scope.Shape(0)}");
            }
        }
        scope.RequireCount(Bias ? 3 : 2);
        scope.RequireShape(1, Shape.Of(Units, scope.Shape(0)[^1]));
        if (Bias)
        {
            scope.RequireShape(2, Shape.Of(Units));
        }
        TensorType y = new(scope.Shape(0).WithLast(Units));
        return Standardizes ? [y, .. StandardizedWeight.Outputs(scope.Shape(1))] : [y];
    }

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 2 * Elements(inputShapes[0]) * Units;

    public override void Run<T>(in KernelContext<T> context)
    {
        (int rows, int width) = KernelContext<T>.Fold(context.InputShape(0));
        if (Standardizes)
        {
            StandardizedWeight.Run(context, WeightStandardization, 1, 1);
        }
        Buffer<T> weight = Standardizes ? context.Output(1) : context.Input(1);
        Gemm.Multiply(false, true, rows, Units, width, context.Input(0), width, weight, width,
            context.Output(0), Units, accumulate: false, Bias ? context.Input(2) : default, context.Pool, context.Ahead);
    }

    public override void Differentiate(GradientScope scope)
    {
        Value upstream = scope.Upstream;
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(DenseInputGradient.Instance, "input", upstream, Standardizes ? scope.Output(1) : scope.Input(1)));
        }
        if (scope.Needs(1))
        {
            Value gradient = scope.Emit(DenseWeightGradient.Instance, "weight", upstream, scope.Input(0));
            scope.Contribute(1, Standardizes ? StandardizedWeight.Gradient(scope, WeightStandardization, 1, 1, gradient) : gradient);
        }
        if (Bias && scope.Needs(2))
        {
            scope.Contribute(2, scope.Emit(ColumnSum.Instance, "bias", upstream));
        }
    }

    /// <summary>
    /// q' = fan_in · E[w²] · E[x²] + Var(b); the cross moment follows the same map (Poole et al. 2016). Standardized weights
    /// have mean 0 in every unit, so that of x it is the variance that counts.
    /// </summary>
    private Moments Propagate(MomentScope scope)
    {
        (Moments x, Moments weight) = (scope.Inputs[0], scope.Inputs[1]);
        Moments bias = Bias ? scope.Inputs[2] : default;
        double fanIn = scope.Node.Inputs[1].Shape[1].Size;
        double mean = Standardizes ? bias.Mean : fanIn * weight.Mean * x.Mean + bias.Mean;
        double center = Standardizes ? x.Mean * x.Mean : 0;
        double spread = Standardizes ? fanIn * StandardizedWeight.SecondMoment(WeightStandardization, weight.Variance, fanIn)
            : fanIn * weight.Variance + fanIn * fanIn * weight.Mean * weight.Mean;
        PositionMoments? positions = scope.Node.Outputs[0].Shape.Rank > 2 ? x.Positions : null;
        return Fathom.Graphs.Moments.Of(mean, spread * (x.SecondMoment - center) + bias.SecondMoment, positions,
            pair => spread * (x.Product(pair) - center) + bias.SecondMoment);
    }

    /// <summary>
    /// Mean square of the gradient of a weight, per use. Through the standardization, which takes out the mean over the unit's
    /// weights and what lies along them, it is divided by the weights' own deviation.
    /// </summary>
    private double WeightGradient(GradientMomentScope scope)
    {
        Moments x = Standardizes ? scope.Inputs[0].Centered() : scope.Inputs[0];
        double square = x.SecondMoment * scope.Coherence(x);
        return Standardizes
            ? StandardizedWeight.GradientFactor(WeightStandardization, scope.Inputs[1].Variance, scope.Node.Inputs[1].Shape[1].Size) * square
            : square;
    }

    /// <summary>Each input element gathers from all units: E[g_x²] = units · E[w²] · E[g_y²].</summary>
    private double PullBack(MomentScope scope, int input) => input != 0 ? double.NaN
        : Units * (Standardizes ? StandardizedWeight.SecondMoment(WeightStandardization, scope.Inputs[1].Variance, scope.Node.Inputs[1].Shape[1].Size) : scope.Inputs[1].SecondMoment);
}

/// <summary>The verb of <see cref="Dense"/>.</summary>
public static class DenseLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="units">Number of outputs.</param>
    /// <param name="weight">Weight initializer; null for Xavier uniform, as in Keras.</param>
    /// <param name="bias">Bias initializer; null for zeros.</param>
    /// <param name="useBias">False for no bias.</param>
    /// <param name="name">Node name.</param>
    /// <param name="weightStandardization">Whether each unit's weights are read with mean 0 and one size.</param>
    public static NetworkCursor Dense(this NetworkCursor network, int units, Initializer? weight = null, Initializer? bias = null, bool useBias = true, string? name = null,
        WeightStandardization weightStandardization = WeightStandardization.None)
    {
        Dictionary<string, Initializer> initializers = [];
        if (weight is not null)
        {
            initializers["weight"] = weight;
        }
        if (bias is not null)
        {
            initializers["bias"] = bias;
        }
        return network.Then(new Dense(units, useBias, weightStandardization), name, initializers);
    }
}

/// <summary>dx = dy · W. Inputs: dy (…, units), weight (units, in).</summary>
public sealed record DenseInputGradient : Op
{
    /// <summary>An op is a value, and this one has no attributes: one object does for every node.</summary>
    internal static readonly DenseInputGradient Instance = new();

    public override string Kind => "dense_input_gradient";

    public override bool FetchesAhead => true;

    public override bool IsPerSample => true;

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 2 * Elements(inputShapes[0]) * inputShapes[1][1];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(scope.Shape(0).WithLast(scope.Shape(1)[1]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (int rows, int units) = KernelContext<T>.Fold(context.InputShape(0));
        int width = context.InputShape(1)[1];
        Gemm.Multiply(false, false, rows, width, units, context.Input(0), units, context.Input(1), width,
            context.Output(0), width, accumulate: false, default, context.Pool, context.Ahead);
    }
}

/// <summary>dW = dyᵀ · x. Inputs: dy (…, units), x (…, in).</summary>
public sealed record DenseWeightGradient : Op
{
    internal static readonly DenseWeightGradient Instance = new();

    public override string Kind => "dense_weight_gradient";

    public override bool FetchesAhead => true;

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 2 * Elements(inputShapes[0]) * inputShapes[1][^1];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Shape.Of(scope.Shape(0)[^1], scope.Shape(1)[^1]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (int rows, int units) = KernelContext<T>.Fold(context.InputShape(0));
        int width = context.InputShape(1)[^1];
        Gemm.Multiply(true, false, units, width, rows, context.Input(0), units, context.Input(1), width,
            context.Output(0), width, accumulate: false, default, context.Pool, context.Ahead);
    }
}

/// <summary>Sum over all axes but the last: the gradient of a bias. Input (…, units), output (units).</summary>
public sealed record ColumnSum : Op
{
    internal static readonly ColumnSum Instance = new();

    public override string Kind => "column_sum";

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 4 * Elements(inputShapes[0]);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireRank(0, 1);
        return [new TensorType(Shape.Of(scope.Shape(0)[^1]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (int rows, int columns) = KernelContext<T>.Fold(context.InputShape(0));
        Reductions.ColumnSums(rows, columns, context.Input(0), context.Output(0), accumulate: false, context.Pool);
    }
}
