using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// Which axis of a value counts a layer's units: the channels of a convolution, else the last axis. All elements of a unit
/// share its weights, so that a unit is dead only if it is dead at every position of every sample.
/// </summary>
public static class UnitAxis
{
    /// <summary>The axis, at least 1 for a value with a batch.</summary>
    public static int Of(Value value)
    {
        int last = value.Shape.Rank - 1;
        for (Node node = value.Node; ; node = node.DataInputs.First().Node)
        {
            if (node.Op is ConvolutionOp convolution)
            {
                return convolution.ChannelsLast ? last : 1;
            }
            // What changes the rank also changes what an axis stands for.
            if (node.Outputs[0].Shape.Rank != value.Shape.Rank || node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2) || !node.DataInputs.Any())
            {
                return value.Shape.Rank == 4 ? 1 : last;
            }
        }
    }

    /// <summary>Units on that axis, and elements from one unit to the next.</summary>
    public static (int Units, int Stride) Layout(Value value)
    {
        int axis = Of(value);
        int stride = 1;
        for (int i = axis + 1; i < value.Shape.Rank; i++)
        {
            stride *= value.Shape[i].Size;
        }
        return (value.Shape[axis].Size, stride);
    }
}
