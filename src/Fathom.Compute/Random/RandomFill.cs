using System.Numerics;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>Fills buffers with random numbers. Element i depends on the key and i alone.</summary>
public static unsafe class RandomFill
{
    /// <summary>Uniform in [low, high); in float, rounding may give high itself.</summary>
    public static void Uniform<T>(RandomKey key, T low, T high, Buffer<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        double start = double.CreateTruncating(low);
        double width = double.CreateTruncating(high) - start;
        for (int i = 0; i < x.Length; i += 2)
        {
            Philox4x32.Block block = Philox4x32.Generate(key, (uint)(i >> 1));
            x.Pointer[i] = T.CreateTruncating(start + width * block.Uniform0);
            if (i + 1 < x.Length)
            {
                x.Pointer[i + 1] = T.CreateTruncating(start + width * block.Uniform1);
            }
        }
    }

    /// <summary>Normal with this mean and standard deviation.</summary>
    public static void Normal<T>(RandomKey key, T mean, T std, Buffer<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        double centre = double.CreateTruncating(mean);
        double scale = double.CreateTruncating(std);
        for (int i = 0; i < x.Length; i += 2)
        {
            (double first, double second) = Philox4x32.Generate(key, (uint)(i >> 1)).Gaussians();
            x.Pointer[i] = T.CreateTruncating(centre + scale * first);
            if (i + 1 < x.Length)
            {
                x.Pointer[i + 1] = T.CreateTruncating(centre + scale * second);
            }
        }
    }

    /// <summary>
    /// <paramref name="value"/> with probability <paramref name="keep"/> (to 2⁻³²), otherwise 0: a dropout mask with
    /// value = 1/keep.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A probability outside [0, 1].</exception>
    public static void Bernoulli<T>(RandomKey key, double keep, T value, Buffer<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (!(keep >= 0 && keep <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(keep), keep, $"The probability of keeping an element must lie in [0, 1], but is {keep}.");
        }
        ulong threshold = (ulong)Math.Round(keep * 4294967296.0);
        int start = 0;
        if (typeof(T) == typeof(float) && PhiloxLanes.IsSupported && threshold is > 0 and <= uint.MaxValue)
        {
            start = BernoulliLanes(key, (uint)threshold, float.CreateTruncating(value), (float*)x.Pointer, x.Length);
        }
        // A table instead of a choice: the processor cannot predict a random branch.
        T* outcomes = stackalloc T[] { T.Zero, value };
        for (int i = start; i < x.Length; i += 4)
        {
            Philox4x32.Block block = Philox4x32.Generate(key, (uint)(i >> 2));
            int count = Math.Min(4, x.Length - i);
            T* y = x.Pointer + i;
            y[0] = outcomes[block.X0 < threshold ? 1 : 0];
            if (count > 1)
            {
                y[1] = outcomes[block.X1 < threshold ? 1 : 0];
            }
            if (count > 2)
            {
                y[2] = outcomes[block.X2 < threshold ? 1 : 0];
            }
            if (count > 3)
            {
                y[3] = outcomes[block.X3 < threshold ? 1 : 0];
            }
        }
    }

    /// <summary>Fills whole groups of 16; returns where they end.</summary>
    private static int BernoulliLanes(RandomKey key, uint threshold, float value, float* y, int length)
    {
        Vector256<uint> limit = Vector256.Create(threshold);
        Vector256<uint> bits = Vector256.Create(value).AsUInt32();
        int i = 0;
        for (; i <= length - 16; i += 16)
        {
            PhiloxLanes.Generate(key, (uint)(i >> 2), out Vector256<uint> first, out Vector256<uint> second);
            (Vector256.LessThan(first, limit) & bits).AsSingle().Store(y + i);
            (Vector256.LessThan(second, limit) & bits).AsSingle().Store(y + i + 8);
        }
        return i;
    }

    /// <summary>A uniformly random permutation in place. R. A. Fisher and F. Yates, in R. Durstenfeld's form (1964).</summary>
    public static void Shuffle(RandomKey key, Span<int> indices)
    {
        var stream = new RandomStream(key);
        for (int i = indices.Length - 1; i > 0; i--)
        {
            int j = stream.NextInt32(i + 1);
            (indices[i], indices[j]) = (indices[j], indices[i]);
        }
    }
}
