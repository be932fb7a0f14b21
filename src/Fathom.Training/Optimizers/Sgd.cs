using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Stochastic gradient descent with PyTorch's momentum: v = momentum · v + (1 − dampening) · g, which in step 1 is g;
/// the change is −rate · v, with Nesterov −rate · (g + momentum · v). Sutskever et al. 2013.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="Dampening">From 0 to 1.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="Nesterov">Needs momentum and no dampening.</param>
public sealed record Sgd(double LearningRate = 0.01, double Momentum = 0, double Dampening = 0, double WeightDecay = 0, bool Nesterov = false) : Optimizer
{
    public override string Kind => "sgd";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Momentum == 0 ? 0 : 1;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        T rate = T.CreateTruncating(-scope.LearningRate);
        if (Momentum == 0)
        {
            TensorPrimitives.Multiply(g, rate, scope.Delta);
            return;
        }
        Span<T> v = scope.State(0);
        T momentum = T.CreateTruncating(Momentum);
        if (scope.Step == 1)
        {
            g.CopyTo(v);
        }
        else
        {
            TensorPrimitives.Multiply(v, momentum, v);
            TensorPrimitives.MultiplyAdd(g, T.CreateTruncating(1 - Dampening), v, v);
        }
        if (Nesterov)
        {
            TensorPrimitives.MultiplyAdd(v, momentum, g, scope.Scratch);
            TensorPrimitives.Multiply(scope.Scratch, rate, scope.Delta);
        }
        else
        {
            TensorPrimitives.Multiply(v, rate, scope.Delta);
        }
    }

    internal override bool NeedsOnePass => true;

    internal override void UpdateInOnePass<T>(in OnePass<T> piece)
    {
        if (Momentum == 0)
        {
            piece.Run(new Plain<T>(piece.LearningRate, WeightDecay));
        }
        else
        {
            // In step 1 the velocity is the gradient: nothing is kept of what is there, and nothing dampened.
            bool starts = piece.Step == 1;
            piece.Run(new WithMomentum<T>(piece.LearningRate, WeightDecay, starts ? 0 : Momentum, starts ? 1 : 1 - Dampening, Nesterov ? Momentum : double.NaN));
        }
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("momentum", Momentum);
        Require(Dampening >= 0 && Dampening <= 1, "dampening", Dampening, "from 0 to 1");
        RequireNotNegative("weight_decay", WeightDecay);
        Require(!Nesterov || Momentum > 0, "momentum", Momentum, "greater than 0 with nesterov");
        Require(!Nesterov || Dampening == 0, "dampening", Dampening, "0 with nesterov");
    }

    private readonly struct Plain<T>(double rate, double decay) : IUpdateRule<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T rate = T.CreateTruncating(-rate), decay = T.CreateTruncating(decay);
        private readonly bool decays = decay != 0; // 0 times an infinite parameter would be NaN

        public static int States => 0;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Change<V>(V value, V gradient, ref V first, ref V second) where V : struct, ISimd<V, T> =>
            (decays ? V.Fma(V.Broadcast(decay), value, gradient) : gradient) * V.Broadcast(rate);
    }

    /// <param name="rate">Learning rate.</param>
    /// <param name="decay">Weight decay.</param>
    /// <param name="keep">Of the velocity.</param>
    /// <param name="add">Of the gradient.</param>
    /// <param name="ahead">Nesterov's momentum; NaN without.</param>
    private readonly struct WithMomentum<T>(double rate, double decay, double keep, double add, double ahead) : IUpdateRule<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T rate = T.CreateTruncating(-rate), decay = T.CreateTruncating(decay);
        private readonly bool decays = decay != 0;
        private readonly T keep = T.CreateTruncating(keep), add = T.CreateTruncating(add);
        private readonly T ahead = T.CreateTruncating(ahead);
        private readonly bool nesterov = !double.IsNaN(ahead);

        public static int States => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Change<V>(V value, V gradient, ref V first, ref V second) where V : struct, ISimd<V, T>
        {
            gradient = decays ? V.Fma(V.Broadcast(decay), value, gradient) : gradient;
            first = V.Fma(V.Broadcast(add), gradient, first * V.Broadcast(keep));
            return (nesterov ? V.Fma(V.Broadcast(ahead), first, gradient) : first) * V.Broadcast(rate);
        }
    }
}
