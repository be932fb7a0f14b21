using System.Collections.Immutable;

namespace Fathom.Formats.SafeTensors;

/// <summary>A tensor to be written. It refers to the caller's array and does not copy it.</summary>
public sealed class SafeTensorEntry
{
    private SafeTensorEntry(string name, ImmutableArray<int> shape, SafeTensorType type, Array values)
    {
        long count = 1;
        foreach (int extent in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent, nameof(shape));
            count = checked(count * extent);
        }
        if (count != values.Length)
        {
            throw new ArgumentException($"Tensor '{name}' of shape [{string.Join(", ", shape)}] needs {count} elements, but has {values.Length}.");
        }
        Name = name;
        Shape = shape;
        DType = type;
        Values = values;
    }

    public string Name { get; }

    public ImmutableArray<int> Shape { get; }

    public SafeTensorType DType { get; }

    internal Array Values { get; }

    /// <summary>A tensor of F32.</summary>
    /// <exception cref="ArgumentException">The shape's product is not the number of values.</exception>
    public static SafeTensorEntry Of(string name, ImmutableArray<int> shape, float[] values) => new(name, shape, SafeTensorType.F32, values);

    /// <summary>A tensor of F64.</summary>
    /// <exception cref="ArgumentException">The shape's product is not the number of values.</exception>
    public static SafeTensorEntry Of(string name, ImmutableArray<int> shape, double[] values) => new(name, shape, SafeTensorType.F64, values);

    /// <summary>A tensor of I64.</summary>
    /// <exception cref="ArgumentException">The shape's product is not the number of values.</exception>
    public static SafeTensorEntry Of(string name, ImmutableArray<int> shape, long[] values) => new(name, shape, SafeTensorType.I64, values);
}
