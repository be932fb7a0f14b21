using System.Numerics;

namespace Fathom.Compute.Tests;

public sealed class ElementwiseTests
{
    public static TheoryData<int> Lengths()
    {
        var lengths = new TheoryData<int>();
        for (int length = 0; length <= 70; length++)
        {
            lengths.Add(length);
        }
        lengths.Add(Elementwise.PartLength - 1);
        lengths.Add(3 * Elementwise.PartLength + 5);
        return lengths;
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void An_element_does_not_depend_on_its_place_the_length_or_the_threads(int length)
    {
        Place<float>(length);
        Place<double>(length);
    }

    private static void Place<T>(int length) where T : unmanaged, IFloatingPointIeee754<T>
    {
        AlignedMemory<T> x = Native.Uniform<T>(length, length);
        AlignedMemory<T> y = Native.Filled(length + 1, T.CreateTruncating(7));
        AlignedMemory<T> one = new(1), oneResult = new(1);
        Elementwise.Map(default(TanhOf<T>), x.Buffer, y.Buffer.Slice(0, length), WorkerPool.Single);
        Assert.Equal(T.CreateTruncating(7), y.Buffer.Span[length]); // nothing written beyond the end
        for (int i = 0; i < length; i += Math.Max(1, length / 64))
        {
            one.Buffer.Span[0] = x.Buffer.Span[i];
            Elementwise.Map(default(TanhOf<T>), one.Buffer, oneResult.Buffer, WorkerPool.Single);
            Assert.Equal(oneResult.Buffer.Span[0], y.Buffer.Span[i]);
        }
        using var pool = new WorkerPool(3);
        AlignedMemory<T> parallel = new(length);
        Elementwise.Map(default(TanhOf<T>), x.Buffer, parallel.Buffer, pool);
        Assert.Equal(y.Buffer.Span[..length].ToArray(), Native.Array(parallel));
        Elementwise.Map(default(TanhOf<T>), x.Buffer, x.Buffer, WorkerPool.Single);
        Assert.Equal(Native.Array(parallel), Native.Array(x));
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Operators_take_two_and_three_inputs_any_of_which_may_be_the_output(int length)
    {
        AlignedMemory<double> a = Native.Uniform<double>(1, length), b = Native.Uniform<double>(2, length), c = Native.Uniform<double>(3, length);
        double[] x = Native.Array(a), y = Native.Array(b), z = Native.Array(c);
        AlignedMemory<double> result = new(length);
        Elementwise.Zip(default(DifferenceOf<double>), a.Buffer, b.Buffer, result.Buffer, WorkerPool.Single);
        Assert.Equal(x.Zip(y, (p, q) => p - q), Native.Array(result));
        Elementwise.Zip3(default(DifferenceOfProductOf<double>), a.Buffer, b.Buffer, c.Buffer, result.Buffer, WorkerPool.Single);
        Assert.Equal(Enumerable.Range(0, length).Select(i => x[i] * y[i] - z[i]), Native.Array(result));
        Elementwise.Zip(default(DifferenceOf<double>), a.Buffer, b.Buffer, b.Buffer, WorkerPool.Single);
        Assert.Equal(x.Zip(y, (p, q) => p - q), Native.Array(b));
    }

    [Fact]
    public void An_operator_carries_parameters()
    {
        AlignedMemory<float> x = Native.Of(-2f, -0f, 3f, float.NaN), y = new(4);
        Elementwise.Map(new LeakyOf<float>(0.25f), x.Buffer, y.Buffer, WorkerPool.Single);
        Assert.Equal([-0.5f, -0f, 3f, float.NaN], Native.Array(y));
    }

    [Fact]
    public void Lengths_that_differ_are_refused()
    {
        AlignedMemory<float> x = new(3), y = new(4);
        ArgumentException error = Assert.Throws<ArgumentException>(() => Elementwise.Map(default(ExpOf<float>), x.Buffer, y.Buffer, WorkerPool.Single));
        Assert.Contains("3 elements", error.Message);
        Assert.Contains("4", error.Message);
    }
}
