using System.Runtime.CompilerServices;
using Fathom.Testing;

namespace Fathom.Compute.Tests;

public sealed class FlushToZeroTests
{
    private const float SmallestNormal = 1.17549435e-38f;

    [Fact]
    public void IsSupportedWhereTheseTestsRun() =>
        Assert.True(FlushToZero.Supported || !(OperatingSystem.IsLinux() || OperatingSystem.IsWindows() || OperatingSystem.IsMacOS()));

    [Fact]
    public void ResultsBelowTheSmallestNormalNumberAreZeroWithinAndAsEverOutside()
    {
        Assert.True(Product(SmallestNormal, 0.5f) > 0);
        using (FlushToZero.Begin())
        {
            Assert.Equal(FlushToZero.Supported, FlushToZero.Active);
            Assert.Equal(0f, Product(SmallestNormal, 0.5f));
            Assert.Equal(SmallestNormal, Product(SmallestNormal, 1f));
            using (FlushToZero.Begin())
            {
                Assert.Equal(0f, Product(SmallestNormal, 0.5f));
            }
            Assert.Equal(0f, Product(SmallestNormal, 0.5f)); // the inner one was not the one to end it
        }
        Assert.False(FlushToZero.Active);
        Assert.True(Product(SmallestNormal, 0.5f) > 0);
    }

    [Fact]
    public void EndsWithAnException()
    {
        static void Fail()
        {
            using FlushToZero flush = FlushToZero.Begin();
            throw new InvalidOperationException();
        }

        Assert.Throws<InvalidOperationException>(Fail);
        Assert.True(Product(SmallestNormal, 0.5f) > 0);
    }

    /// <summary>The register's other bits are the host's too: rounding to nearest, and the exceptions masked.</summary>
    [Fact]
    public void ChangesNothingElse()
    {
        using FlushToZero flush = FlushToZero.Begin();
        Assert.Equal(0x3F800001u, BitConverter.SingleToUInt32Bits(Product(1.0000001f, 1f)));
        Assert.Equal(1.0000002f, Product(1.0000001f, 1.0000001f)); // 1 + 2⁻²² + 2⁻⁴⁶, to nearest
        Assert.Equal(float.PositiveInfinity, Product(float.MaxValue, 2f));
        Assert.True(float.IsNaN(Product(0f, float.PositiveInfinity)));
    }

    /// <summary>
    /// The runtime's own Max and Min mend NaNs by a table, a constant that is a denormal float, which code that is compiled
    /// while results are flushed may not keep.
    /// </summary>
    [Fact]
    public void ANaNSurvivesMaxAndMinThatAreCompiledWithin()
    {
        using FlushToZero flush = FlushToZero.Begin();
        Assert.Equal(float.NaN, Between<Vec512<float>>(float.NaN));
        Assert.Equal(float.NaN, Between<Vec256<float>>(float.NaN));
        Assert.Equal(float.NaN, Between<Vec128<float>>(float.NaN));
        Assert.Equal(float.NaN, Between<Vec1<float>>(float.NaN));
    }

    [Fact]
    public void TheLargerOfTwoKeepsNaNsAndSignsAtEveryLength()
    {
        using FlushToZero flush = FlushToZero.Begin();
        for (int length = 0; length <= 70; length++)
        {
            float[] a = [.. Enumerable.Range(0, length).Select(i => (i % 5) switch { 0 => float.NaN, 1 => -0f, 2 => i, 3 => -i, _ => float.NegativeInfinity })];
            float[] b = [.. Enumerable.Range(0, length).Select(i => (i % 7) switch { 0 => 1f, 1 => float.NaN, 2 => 0f, 3 => 2 * i, 4 => -0f, _ => float.PositiveInfinity })];
            float[] larger = new float[length], positive = new float[length];
            Elementwise.Max<float>(a, b, larger);
            Elementwise.AtLeast<float>(a, 0, positive);
            for (int i = 0; i < length; i++)
            {
                float expected = float.IsNaN(a[i]) || float.IsNaN(b[i]) ? float.NaN : a[i] == b[i] ? (float.IsNegative(a[i]) ? b[i] : a[i]) : a[i] > b[i] ? a[i] : b[i];
                Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(larger[i]));
                Assert.Equal(float.IsNaN(a[i]) ? float.NaN : Math.Max(a[i], 0), positive[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static unsafe float Between<V>(float x) where V : struct, ISimd<V, float>
    {
        float* lanes = stackalloc float[16];
        V bounded = V.Min(V.Max(V.Broadcast(x), V.Constant(1e-7)), V.Constant(0.9999));
        bounded.Store(lanes);
        return lanes[0];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void WorkersFollowTheThreadWhoseJobTheyTake(int threads)
    {
        using WorkerPool pool = new(threads);
        using AlignedMemory<float> x = new(40 * Elementwise.PartLength), y = new(x.Length);
        x.Buffer.Span.Fill(SmallestNormal);
        for (int round = 0; round < 20; round++)
        {
            using (FlushToZero.Begin())
            {
                Elementwise.Map(new Half(), x.Buffer, y.Buffer, pool);
            }
            Assert.Equal(FlushToZero.Supported ? 0 : y.Length, Nonzero(y.Buffer.Span));
            Elementwise.Map(new Half(), x.Buffer, y.Buffer, pool);
            Assert.Equal(y.Length, Nonzero(y.Buffer.Span));
        }
    }

    /// <summary>A new thread has the register of the one that starts it.</summary>
    [Fact]
    public void WorkersStartedWithinAStretchDoNotFlushOutside()
    {
        WorkerPool pool;
        using (FlushToZero.Begin())
        {
            pool = new WorkerPool(3);
        }
        using AlignedMemory<float> x = new(40 * Elementwise.PartLength), y = new(x.Length);
        x.Buffer.Span.Fill(SmallestNormal);
        for (int round = 0; round < 20; round++)
        {
            Elementwise.Map(new Half(), x.Buffer, y.Buffer, pool);
            Assert.Equal(y.Length, Nonzero(y.Buffer.Span));
        }
        pool.Dispose();
    }

    /// <summary>The processor's own exceptions reset the register.</summary>
    [Fact]
    public void WorkersFlushAfterANullReferenceToo()
    {
        if (!FlushToZero.Supported)
        {
            return;
        }
        using WorkerPool pool = new(2);
        using FlushToZero flush = FlushToZero.Begin();
        for (int round = 0; round < 20; round++)
        {
            HalvesAfterFailure job = new() { Results = new float[64], Nothing = null };
            Assert.Throws<NullReferenceException>(() => pool.Run(ref job, 128));
            Assert.Equal(0, Nonzero(job.Results));
        }
    }

    [Fact]
    public void AllocatesNothing() => Assert.Equal(0, SteadyAllocation.Bytes(() =>
    {
        for (int i = 0; i < 1000; i++)
        {
            using FlushToZero flush = FlushToZero.Begin();
        }
    }));

    private static int Nonzero(ReadOnlySpan<float> values) => values.Length - values.Count(0f);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Product(float a, float b) => a * b;

    private struct HalvesAfterFailure : IParallelJob
    {
        public float[] Results;
        public required string? Nothing;

        public readonly void Execute(int part, int worker)
        {
            if (part % 2 == 0)
            {
                Thread.SpinWait(Nothing!.Length);
            }
            Results[part / 2] = Product(SmallestNormal, 0.5f);
        }
    }

    private readonly struct Half : IUnaryOperator<float>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, float> => x * V.Constant(0.5);
    }
}
