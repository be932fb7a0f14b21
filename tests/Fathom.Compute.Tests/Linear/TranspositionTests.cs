namespace Fathom.Compute.Tests;

public sealed class TranspositionTests
{
    [Fact]
    public void Every_element_goes_to_its_mirror_place_and_none_beside()
    {
        foreach ((int rows, int columns) in new[] { (0, 3), (1, 1), (3, 5), (4, 4), (8, 8), (16, 32), (17, 9), (31, 66) })
        {
            Check<float>(rows, columns);
            Check<double>(rows, columns);
        }
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        AlignedMemory<float> six = new(6), five = new(5);
        Assert.Contains("source", Assert.Throws<ArgumentException>(() => Transposition.Run(2, 3, five.Buffer, 3, six.Buffer, 2)).Message);
        Assert.Contains("destination", Assert.Throws<ArgumentException>(() => Transposition.Run(2, 3, six.Buffer, 3, five.Buffer, 2)).Message);
        Assert.Contains("row stride 1", Assert.Throws<ArgumentException>(() => Transposition.Run(2, 3, six.Buffer, 3, six.Buffer, 1)).Message);
        Assert.Contains("negative", Assert.Throws<ArgumentException>(() => Transposition.Run(-2, 3, six.Buffer, 3, six.Buffer, 2)).Message);
    }

    private static void Check<T>(int rows, int columns) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        int sourceStride = columns + 2, stride = rows + 3;
        AlignedMemory<T> source = Native.Uniform<T>(1, rows * sourceStride), destination = Native.Filled(columns * stride, T.NegativeOne);
        Transposition.Run(rows, columns, source.Buffer, sourceStride, destination.Buffer, stride);
        for (int j = 0; j < columns; j++)
        {
            for (int i = 0; i < stride; i++)
            {
                Assert.Equal(i < rows ? source.Buffer.Span[i * sourceStride + j] : T.NegativeOne, destination.Buffer.Span[j * stride + i]);
            }
        }
    }
}
