using Fathom.Graphs;

namespace Fathom.Training.Execution;

/// <summary>A shape at one batch size. A plan has one object for all tensors of a shape.</summary>
internal sealed class BoundShape
{
    private readonly List<int[]> parts = [];

    public BoundShape(Shape shape, int batch)
    {
        Extents = shape.Bind(batch);
        Elements = shape.Elements(batch);
        ElementsPerSample = shape.HasBatch ? shape.Elements(1) : 0;
        HasBatch = shape.HasBatch;
        IsBySample = shape.Rank > 0 && shape[0] == Dim.Batch;
    }

    /// <summary>The extents. Nobody may change them.</summary>
    public int[] Extents { get; }

    public int Elements { get; }

    /// <summary>Elements at batch size 1; 0 without a batch axis.</summary>
    public int ElementsPerSample { get; }

    public bool HasBatch { get; }

    /// <summary>True if each sample is one stretch of the tensor.</summary>
    public bool IsBySample { get; }

    /// <summary>The extents of a stretch of samples.</summary>
    public int[] OfSamples(int samples)
    {
        // A batch in equal parts has stretches of two lengths at most.
        foreach (int[] part in parts)
        {
            if (part[0] == samples)
            {
                return part;
            }
        }
        int[] added = [samples, .. Extents.AsSpan(1)];
        parts.Add(added);
        return added;
    }
}
