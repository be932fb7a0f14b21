using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>
/// An update rule for one vector of elements, so that a whole step is one pass over memory: parameter, gradient and states
/// are read once and written once.
/// </summary>
internal interface IUpdateRule<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>State tensors that the rule has: 0 to 2.</summary>
    static abstract int States { get; }

    /// <summary>The change of the parameter; takes the states to their new values.</summary>
    V Change<V>(V value, V gradient, ref V first, ref V second) where V : struct, ISimd<V, T>;
}

/// <summary>A piece of a parameter for a rule that needs one pass.</summary>
internal readonly unsafe ref struct OnePass<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public required Buffer<T> Values { get; init; }

    public required Buffer<T> Gradient { get; init; }

    public required ReadOnlySpan<Buffer<T>> States { get; init; }

    public required int Offset { get; init; }

    /// <summary>Looks at each block before and after its update.</summary>
    public required PieceMeasure<T>* Measure { get; init; }

    public required double LearningRate { get; init; }

    /// <summary>Number of this step, counted from 1.</summary>
    public required long Step { get; init; }

    /// <summary>Runs a rule over the piece.</summary>
    public void Run<TRule>(TRule rule) where TRule : struct, IUpdateRule<T>
    {
        for (int start = 0; start < Values.Length; start += PieceMeasure<T>.BlockLength)
        {
            int length = Math.Min(PieceMeasure<T>.BlockLength, Values.Length - start);
            T* values = Values.Pointer + start, gradient = Gradient.Pointer + start;
            T* first = TRule.States > 0 ? States[0].Pointer + Offset + start : values;
            T* second = TRule.States > 1 ? States[1].Pointer + Offset + start : values;
            Measure->Before(Values.Slice(start, length), Gradient.Slice(start, length), first);
            if (Vector512.IsHardwareAccelerated)
            {
                Loop<TRule, Vec512<T>>(rule, values, gradient, first, second, Measure->Old, length);
            }
            else if (Vector256.IsHardwareAccelerated)
            {
                Loop<TRule, Vec256<T>>(rule, values, gradient, first, second, Measure->Old, length);
            }
            else if (Vector128.IsHardwareAccelerated)
            {
                Loop<TRule, Vec128<T>>(rule, values, gradient, first, second, Measure->Old, length);
            }
            else
            {
                Loop<TRule, Vec1<T>>(rule, values, gradient, first, second, Measure->Old, length);
            }
            Measure->After(Values.Slice(start, length), gradient + PieceMeasure<T>.BlockLength);
        }
    }

    /// <summary>One block; <paramref name="old"/> receives the values as they were, unless it is null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Loop<TRule, V>(TRule rule, T* values, T* gradient, T* first, T* second, T* old, int length)
        where TRule : struct, IUpdateRule<T> where V : struct, ISimd<V, T>
    {
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            V value = V.Load(values + i);
            V one = TRule.States > 0 ? V.Load(first + i) : V.Zero;
            V two = TRule.States > 1 ? V.Load(second + i) : V.Zero;
            V change = rule.Change(value, V.Load(gradient + i), ref one, ref two);
            if (TRule.States > 0)
            {
                one.Store(first + i);
            }
            if (TRule.States > 1)
            {
                two.Store(second + i);
            }
            (value + change).Store(values + i);
            if (old != null)
            {
                value.Store(old + i);
            }
        }
        int rest = length - i;
        if (rest > 0)
        {
            V value = V.LoadPartial(values + i, rest);
            V one = TRule.States > 0 ? V.LoadPartial(first + i, rest) : V.Zero;
            V two = TRule.States > 1 ? V.LoadPartial(second + i, rest) : V.Zero;
            V change = rule.Change(value, V.LoadPartial(gradient + i, rest), ref one, ref two);
            if (TRule.States > 0)
            {
                one.StorePartial(first + i, rest);
            }
            if (TRule.States > 1)
            {
                two.StorePartial(second + i, rest);
            }
            (value + change).StorePartial(values + i, rest);
            if (old != null)
            {
                value.StorePartial(old + i, rest);
            }
        }
    }
}
