using System.Collections.Immutable;
using System.Numerics;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Which places of a sequence count: 1 where there is something, 0 where there is padding. Input: indices (N, T), in which
/// <paramref name="PaddingIndex"/> is padding; or reals (N, T, F), in which a place is padding if all its features equal
/// <paramref name="MaskValue"/>. Output: (N, T), for layers that take a mask. No gradient flows through it.
/// </summary>
/// <param name="PaddingIndex">The index of padding.</param>
/// <param name="MaskValue">The value of padding.</param>
public sealed record PaddingMask(int PaddingIndex = 0, double MaskValue = 0) : Op
{
    public override string Kind => "padding_mask";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        bool indices = scope[0].Kind == ElementKind.Index;
        if (scope.Shape(0).Rank != (indices ? 2 : 3))
        {
            throw scope.Error("indices (N, T) or real features (N, T, F)", scope[0].ToString());
        }
        return [new TensorType(Shape.Of(scope.Shape(0)[0], scope.Shape(0)[1]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Span<T> mask = context.Output(0);
        if (context.Inputs[0].Real.IsEmpty)
        {
            ReadOnlySpan<int> indices = context.Inputs[0].Index;
            for (int i = 0; i < mask.Length; i++)
            {
                mask[i] = indices[i] == PaddingIndex ? T.Zero : T.One;
            }
            return;
        }
        int features = context.InputShape(0)[^1];
        ReadOnlySpan<T> x = context.Input(0);
        T padding = T.CreateTruncating(MaskValue);
        for (int i = 0; i < mask.Length; i++)
        {
            mask[i] = x.Slice(i * features, features).ContainsAnyExcept(padding) ? T.One : T.Zero;
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        // What counts is a choice, not a number: nothing to differentiate.
    }
}

/// <summary>The verb of <see cref="PaddingMask"/>.</summary>
public static class PaddingMaskLayer
{
    /// <param name="network">Indices (N, T) or features (N, T, F).</param>
    /// <param name="paddingIndex">The index of padding.</param>
    /// <param name="maskValue">The value of padding.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor PaddingMask(this NetworkCursor network, int paddingIndex = 0, double maskValue = 0, string? name = null) =>
        network.Then(new PaddingMask(paddingIndex, maskValue), name);
}
