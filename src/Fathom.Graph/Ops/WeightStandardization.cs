using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Whether a layer reads its weight as it is, or each unit's weights with mean 0 and one size, through which the gradient
/// passes too.
/// </summary>
public enum WeightStandardization
{
    /// <summary>The weight as it is.</summary>
    None,

    /// <summary>
    /// ŵ = (w − mean)/√(variance + 1e-5) over the weights of each unit, with the biased variance. Qiao et al. (2019), equations
    /// 2 to 4. It multiplies signals by √fan-in, so a normalization has to follow.
    /// </summary>
    Standard,

    /// <summary>The same divided by √fan-in, which keeps the size of signals without a normalization. Brock et al. (2021), equation 1.</summary>
    Scaled,
}

/// <summary>
/// Weight standardization for an op that reads a weight (out, …): the standardized weight, its rows' means and
/// 1/√(variance + eps) are further outputs of the op's node, which its gradient nodes read.
/// </summary>
internal static class StandardizedWeight
{
    private const double Eps = 1e-5;

    /// <summary>The types of the outputs, to go behind the op's own.</summary>
    /// <param name="weight">Shape of the weight, out first.</param>
    public static ImmutableArray<TensorType> Outputs(Shape weight)
    {
        TensorType perUnit = new(Shape.Of(weight[0]));
        return [new TensorType(weight), perUnit, perUnit];
    }

    /// <summary>Computes the three outputs.</summary>
    /// <param name="context">What the op works on.</param>
    /// <param name="standardization">Standard or scaled.</param>
    /// <param name="input">Index of the weight among the inputs.</param>
    /// <param name="output">Index of the standardized weight among the outputs.</param>
    public static void Run<T>(in KernelContext<T> context, WeightStandardization standardization, int input, int output) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int[] shape = context.InputShape(input);
        KernelContext<T> part = new()
        {
            Inputs = context.Inputs.Slice(input, 1),
            Outputs = context.Outputs.Slice(output, 3),
            Pool = context.Pool,
            Training = context.Training,
            Random = context.Random,
        };
        RowNormForward<T>.Run(part, NormRows.OfTrailing(shape, shape.Length - 1), Eps, centered: true, parameters: 0);
        Scale(standardization, shape, context.Output(output), context.Pool);
    }

    /// <summary>Adds the node that carries the gradient from the standardized weight to the weight itself, and returns its output.</summary>
    /// <param name="scope">The op's gradient.</param>
    /// <param name="standardization">Standard or scaled.</param>
    /// <param name="input">Index of the weight among the inputs.</param>
    /// <param name="output">Index of the standardized weight among the outputs.</param>
    /// <param name="upstream">The gradient by the standardized weight.</param>
    public static Value Gradient(GradientScope scope, WeightStandardization standardization, int input, int output, Value upstream) =>
        scope.Emit(new WeightStandardizationGradient(standardization), "standardization", upstream, scope.Input(input), scope.Output(output + 1), scope.Output(output + 2));

    /// <summary>
    /// Mean square of a standardized weight that had this variance. Its mean is 0 in every unit, so the mean of the inputs has
    /// no effect, only their deviations from it: n·E[ŵ²]·Var(x) arrives at the unit.
    /// </summary>
    public static double SecondMoment(WeightStandardization standardization, double variance, double fanIn)
    {
        double biased = variance * (fanIn - 1) / fanIn;
        return biased / (biased + Eps) / (standardization == WeightStandardization.Scaled ? fanIn : 1);
    }

    /// <summary>Mean square of the gradient at the weight over that at the standardized weight: 1/variance, over n once more if scaled.</summary>
    public static double GradientFactor(WeightStandardization standardization, double variance, double fanIn)
    {
        double biased = variance * (fanIn - 1) / fanIn + Eps;
        return Math.Max(0, fanIn - 2) / fanIn / biased / (standardization == WeightStandardization.Scaled ? fanIn : 1);
    }

    internal static void Scale<T>(WeightStandardization standardization, int[] shape, Buffer<T> weight, WorkerPool pool) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (standardization == WeightStandardization.Scaled && shape[0] > 0)
        {
            Elementwise.Map(new Scaled<T>(T.CreateTruncating(1 / Math.Sqrt(weight.Length / (double)shape[0]))), weight, weight, pool);
        }
    }

    private readonly struct Scaled<T>(T factor) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => x * V.Broadcast(factor);
    }
}

/// <summary>
/// dw = s·(g − ⟨g⟩ − ŵ·⟨g·ŵ⟩) with s = 1/√(variance + eps), ŵ = (w − mean)·s and ⟨⟩ the mean over a unit's weights; scaled
/// standardization divides by √fan-in. Inputs: g (out, …), w, mean (out), s (out). Output: dw.
/// </summary>
/// <param name="Standardization">Standard or scaled.</param>
public sealed record WeightStandardizationGradient(WeightStandardization Standardization) : Op
{
    public override string Kind => "weight_standardization_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(4);
        scope.RequireShape(1, scope.Shape(0));
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        int[] shape = context.InputShape(0);
        RowNormBackward<T>.Run(context, NormRows.OfTrailing(shape, shape.Length - 1), centered: true, parameters: 0);
        StandardizedWeight.Scale(Standardization, shape, context.Output(0), context.Pool);
    }
}
