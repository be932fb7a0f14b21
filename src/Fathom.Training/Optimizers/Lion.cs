using System.Numerics;
using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>
/// rate · sign(β1·m + (1 − β1)·g), after which m = β2·m + (1 − β2)·g: every weight moves by the same amount, and the
/// gradient's size does not matter. The weights decay beside it. Chen et al. 2023, algorithm 2.
/// </summary>
/// <param name="LearningRate">Greater than 0; a tenth to a third of what Adam would get.</param>
/// <param name="Beta1">Share of the mean gradient in the direction; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay; 0 or more.</param>
public sealed record Lion(double LearningRate = 1e-4, double Beta1 = 0.9, double Beta2 = 0.99, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "lion";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1;

    public override void Update<T>(in UpdateScope<T> scope) => Change(scope, Beta1, Beta2, WeightDecay);

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("weight_decay", WeightDecay);
    }

    internal static void Change<T>(in UpdateScope<T> scope, double beta1, double beta2, double weightDecay)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Span<T> m = scope.State(0);
        m.CopyTo(scope.Delta);
        UpdateScope<T>.Average(scope.Delta, scope.Gradient, beta1);
        ReplaceBySign(scope.Delta, T.CreateTruncating(-scope.LearningRate));
        UpdateScope<T>.Average(m, scope.Gradient, beta2);
        scope.DecayWeights(weightDecay);
    }

    /// <summary>x = factor · sign(x), where 0 has the sign 0 and NaN stays NaN.</summary>
    private static void ReplaceBySign<T>(Span<T> x, T factor) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        for (; i <= x.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            Vector<T> value = new(x[i..]);
            Vector<T> below = Vector.ConditionalSelect(Vector.LessThan(value, Vector<T>.Zero), new Vector<T>(-factor), value);
            Vector.ConditionalSelect(Vector.GreaterThan(value, Vector<T>.Zero), new Vector<T>(factor), below).CopyTo(x[i..]);
        }
        for (; i < x.Length; i++)
        {
            x[i] = x[i] > T.Zero ? factor : x[i] < T.Zero ? -factor : x[i];
        }
    }
}
