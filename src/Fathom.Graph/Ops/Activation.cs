using System.Collections.Immutable;
using System.Numerics;

namespace Fathom.Graphs.Ops;

/// <summary>
/// An elementwise function y = φ(x). Input and output of one shape. A subclass gives φ and φ' twice: as a SIMD kernel
/// for execution and as plain numbers for theory, which integrates them over a Gaussian; the tests hold the two
/// against each other.
/// </summary>
public abstract record Activation : Op
{
    /// <summary>True if φ' is computed from y (sigmoid, tanh, ReLU), false if from x (GELU, softplus).</summary>
    public abstract bool GradientReadsOutput { get; }

    public override bool IsPerSample => true;

    public override bool MayOverwrite(int input) => true;

    /// <summary>Points where φ or φ' jumps; quadrature is split there.</summary>
    public virtual ImmutableArray<double> Kinks => [0];

    /// <summary>
    /// The factor g for which weights of variance g²/fan-in, read by this function, keep activations and gradients near
    /// one scale from layer to layer: √2 for the ReLU family, since about half of the second moment is cut off (√(2/(1 +
    /// a²)) where the slope below 0 is a; He et al. 2015, equations 10 and 15), otherwise 1, as for SELU, whose constants
    /// presuppose Var(w) = 1/fan-in (Klambauer et al. 2017, section 3), and for functions of slope 1 around 0.
    /// </summary>
    public virtual double RecommendedWeightGain => 1;

    /// <summary>An exponential, a division and what is around them.</summary>
    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 40 * Elements(outputShapes[0]);

    /// <summary>φ(x).</summary>
    public abstract double Evaluate(double x);

    /// <summary>φ'(x); at a kink the slope that the gradient kernel uses.</summary>
    public abstract double Slope(double x);

    /// <summary>dx = dy · φ'. Inputs: dy, and y or x (see <see cref="GradientReadsOutput"/>). Output: dx.</summary>
    public abstract void RunGradient<T>(in KernelContext<T> context) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        return [scope[0]];
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            Value saved = GradientReadsOutput ? scope.Output(0) : scope.Input(0);
            scope.Contribute(0, scope.Emit(new ActivationGradient(this), "input", scope.Upstream, saved));
        }
    }
}

/// <summary>The gradient node of an activation. Inputs: dy, and y or x. Output: dx.</summary>
public sealed record ActivationGradient(Activation Activation) : Op
{
    public override string Kind => Activation.Kind + "_gradient";

    public override bool IsPerSample => true;

    public override bool MayOverwrite(int input) => true;

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 20 * Elements(outputShapes[0]);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        scope.RequireShape(1, scope.Shape(0));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) => Activation.RunGradient(context);
}
