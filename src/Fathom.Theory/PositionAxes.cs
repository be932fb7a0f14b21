using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>Which axes of the data are positions, which is for the op that reads them to say.</summary>
internal static class PositionAxes
{
    /// <summary>
    /// The axes behind the batch that are not the features or channels: for images and for what convolutions read the
    /// channels are axis 1 unless the op has them last, for sequences the features are the last axis. None for rank 2 or less.
    /// </summary>
    public static ImmutableArray<int> Of(LayerReaders readers, Value value)
    {
        int rank = value.Shape.Rank;
        if (rank < 3 || value.Shape.Dims.Skip(1).Any(dim => dim.PerSample))
        {
            return [];
        }
        int features = Features(readers, value, rank);
        return [.. Enumerable.Range(1, rank - 1).Where(axis => axis != features)];
    }

    private static int Features(LayerReaders readers, Value value, int rank)
    {
        for (int i = 0; i < 16 && readers.Of(value) is { Count: > 0 } next; i++)
        {
            bool? last = next[0].Op switch
            {
                ConvolutionOp op => op.ChannelsLast,
                AveragePoolOp op => op.ChannelsLast,
                MaxPoolOp op => op.ChannelsLast,
                GlobalPoolOp op => op.ChannelsLast,
                BatchNorm op => op.ChannelsLast,
                GroupNorm op => op.ChannelsLast,
                Dense or MultiHeadAttention or RecurrentLayer or PositionalEmbedding or SinusoidalPositions => true,
                _ => null,
            };
            if (last is { } known)
            {
                return known ? rank - 1 : 1;
            }
            if (!next[0].Output.Shape.Equals(value.Shape))
            {
                break;
            }
            value = next[0].Output;
        }
        return rank == 4 ? 1 : rank - 1;
    }
}
