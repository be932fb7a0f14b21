using System.Collections.Immutable;

namespace Fathom.Graphs;

/// <summary>The extents of a tensor, outermost first; elements lie in row-major order.</summary>
public sealed class Shape : IEquatable<Shape>
{
    /// <summary>A tensor of one element.</summary>
    public static readonly Shape Scalar = new([]);

    public Shape(ImmutableArray<Dim> dims)
    {
        foreach (Dim dim in dims)
        {
            if (dim.Size < 0)
            {
                throw new GraphException($"a shape has the extent {dim}; an extent must be 0 or more");
            }
        }
        Dims = dims;
    }

    public ImmutableArray<Dim> Dims { get; }

    public int Rank => Dims.Length;

    public Dim this[Index index] => Dims[index];

    /// <summary>True if an extent grows with the batch.</summary>
    public bool HasBatch
    {
        get
        {
            foreach (Dim dim in Dims)
            {
                if (dim.PerSample)
                {
                    return true;
                }
            }
            return false;
        }
    }

    /// <summary>Number of elements with the batch size taken as 1.</summary>
    public long ElementsPerSample
    {
        get
        {
            long product = 1;
            foreach (Dim dim in Dims)
            {
                product = checked(product * dim.Size);
            }
            return product;
        }
    }

    public static Shape Of(params ReadOnlySpan<Dim> dims) => new([.. dims]);

    /// <summary>The shape (N, features…) of a batch of samples.</summary>
    public static Shape OfSamples(params ReadOnlySpan<int> features)
    {
        ImmutableArray<Dim>.Builder dims = ImmutableArray.CreateBuilder<Dim>(features.Length + 1);
        dims.Add(Dim.Batch);
        foreach (int feature in features)
        {
            dims.Add(feature);
        }
        return new Shape(dims.MoveToImmutable());
    }

    /// <summary>The extents for a given batch size.</summary>
    public int[] Bind(int batch)
    {
        // Loops, here and above: a plan of 10,000 layers asks some 100,000 times.
        int[] extents = new int[Dims.Length];
        for (int i = 0; i < extents.Length; i++)
        {
            extents[i] = Dims[i].Bind(batch);
        }
        return extents;
    }

    /// <summary>Number of elements for a given batch size.</summary>
    public int Elements(int batch)
    {
        int product = 1;
        foreach (Dim dim in Dims)
        {
            product = checked(product * dim.Bind(batch));
        }
        return product;
    }

    /// <summary>The same shape with the last extent replaced.</summary>
    public Shape WithLast(Dim last) => new(Dims.SetItem(Rank - 1, last));

    public bool Equals(Shape? other) => ReferenceEquals(this, other) || other is not null && Dims.AsSpan().SequenceEqual(other.Dims.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as Shape);

    public override int GetHashCode()
    {
        int hash = Dims.Length;
        foreach (Dim dim in Dims)
        {
            hash = (hash * 31 + dim.Size) * 2 + (dim.PerSample ? 1 : 0);
        }
        return hash;
    }

    public override string ToString() => Rank == 0 ? "()" : $"({string.Join(", ", Dims)})";
}
