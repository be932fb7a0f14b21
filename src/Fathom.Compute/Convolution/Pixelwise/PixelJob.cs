using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// One part is some rows of one sample. All terms of an output are summed by one thread, tap by tap and in each by channel,
/// so the result depends neither on the parts nor on who computes them.
/// </summary>
internal unsafe struct PixelJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    public PixelPlan Plan;
    public T* Source;
    public T* Weights;
    public T* Bias;
    public T* Target;

    /// <summary>By phase, where each tap reads.</summary>
    public int* Offsets;
    public WorkerPool Pool;

    public static int ScratchBytes(in PixelPlan plan) => checked((PackedElements(plan) + plan.TargetElements) * sizeof(T));

    public readonly void Execute(int part, int worker)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Rows<Vec512<T>>(part, worker);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Rows<Vec256<T>>(part, worker);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Rows<Vec128<T>>(part, worker);
        }
        else
        {
            Rows<Vec1<T>>(part, worker);
        }
    }

    /// <summary>So that the target begins on a cache line.</summary>
    private static int PackedElements(in PixelPlan plan) => (plan.SourceElements + 15) & ~15;

    private readonly void Rows<V>(int part, int worker) where V : struct, ISimd<V, T>
    {
        int sample = part / Plan.Blocks;
        int firstRow = part % Plan.Blocks * Plan.BlockRows;
        int rows = Math.Min(Plan.BlockRows, Plan.Vertical.Outputs(0) - firstRow);
        T* packed = (T*)Pool.Scratch(worker).Pointer;
        T* outputs = packed + PackedElements(Plan);
        Plan.Pack(Source + sample * Plan.Source.Sample, firstRow * Plan.StepHeight, Plan.Rows(rows), packed);
        int targetRow = firstRow * Plan.Vertical.Step;
        int targetRows = Math.Min(rows * Plan.Vertical.Step, Plan.Target.Height - targetRow);
        int pixels = targetRows * Plan.Target.Width;
        bool begun = Bias != null || LeavesGaps();
        if (begun)
        {
            Fill(pixels, outputs);
        }
        Fetches fetches = new()
        {
            Shares = Plan.Vertical.Phases * Plan.Horizontal.Phases * rows,
            Next = new WinogradFetch(Target + sample * Plan.Target.Sample, Plan.Blocks == 1 ? Plan.Target.Sample * sizeof(T) : 0),
            AfterNext = Following(part),
        };
        int first = 0;
        for (int p = 0; p < Plan.Vertical.Phases; p++)
        {
            int phaseRows = Math.Min(rows, Plan.Vertical.Outputs(p) - firstRow);
            for (int q = 0; q < Plan.Horizontal.Phases; q++)
            {
                int taps = Plan.Vertical.Count(p) * Plan.Horizontal.Count(q);
                if (taps > 0)
                {
                    PixelSum<T> sum = new()
                    {
                        Runs = taps,
                        Offsets = Offsets + first,
                        Depth = Plan.Source.Channels,
                        ARow = (nint)Plan.StepWidth * Plan.Source.Channels,
                        ADepth = 1,
                        BDepth = Plan.Pitch,
                        Add = begun,
                    };
                    Phase<V>(sum, phaseRows, Plan.Horizontal.Outputs(q), packed, Weights + (nint)first * Plan.Source.Channels * Plan.Pitch, outputs + (p * Plan.Target.Width + q) * Plan.Pitch, ref fetches);
                }
                first += taps;
            }
        }
        Unpack(pixels, outputs, Target + sample * Plan.Target.Sample + targetRow * Plan.Target.Row);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Phase<V>(in PixelSum<T> sum, int rows, int columns, T* packed, T* weights, T* outputs, ref Fetches fetches) where V : struct, ISimd<V, T>
    {
        nint sourceRow = (nint)Plan.StepHeight * Plan.Columns * Plan.Source.Channels;
        nint targetRow = (nint)Plan.Vertical.Step * Plan.Target.Width * Plan.Pitch;
        nint targetPixel = (nint)Plan.Horizontal.Step * Plan.Pitch;
        for (int channel = 0; channel < Plan.Pitch; channel += 2 * V.Count)
        {
            T* from = packed;
            T* to = outputs + channel;
            for (int row = 0; row < rows; row++, from += sourceRow, to += targetRow)
            {
                if (channel == 0)
                {
                    fetches.Share();
                }
                if (Plan.Pitch - channel > V.Count)
                {
                    PixelTile.Rows<T, V, Extent2>(columns, sum, from, weights + channel, to, targetPixel);
                }
                else
                {
                    PixelTile.Rows<T, V, Extent1>(columns, sum, from, weights + channel, to, targetPixel);
                }
            }
        }
    }

    /// <summary>What this worker will probably read for its next part.</summary>
    private readonly WinogradFetch Following(int part)
    {
        int sample = part + Pool.Threads;
        bool known = Plan.Blocks == 1 && sample < Plan.Shape.Samples;
        return known ? new WinogradFetch(Source + sample * Plan.Source.Sample, Plan.Source.Sample * sizeof(T)) : default;
    }

    /// <summary>True if there are pixels of the target that no tap reaches.</summary>
    private readonly bool LeavesGaps()
    {
        bool gaps = false;
        for (int p = 0; p < Plan.Vertical.Phases; p++)
        {
            gaps |= Plan.Vertical.Count(p) == 0;
        }
        for (int q = 0; q < Plan.Horizontal.Phases; q++)
        {
            gaps |= Plan.Horizontal.Count(q) == 0;
        }
        return gaps;
    }

    private readonly void Fill(int pixels, T* outputs)
    {
        new Span<T>(outputs, pixels * Plan.Pitch).Clear();
        for (int pixel = 0; pixel < pixels && Bias != null; pixel++, outputs += Plan.Pitch)
        {
            new ReadOnlySpan<T>(Bias, Plan.Target.Channels).CopyTo(new Span<T>(outputs, Plan.Target.Channels));
        }
    }

    private readonly void Unpack(int pixels, T* outputs, T* target)
    {
        if (Plan.Target.Channel != 1)
        {
            Packing.Transpose(Plan.Target.Channels, pixels, outputs, Plan.Pitch, target, Plan.Target.Channel);
            return;
        }
        for (int pixel = 0; pixel < pixels; pixel++, outputs += Plan.Pitch, target += Plan.Target.Pixel)
        {
            new ReadOnlySpan<T>(outputs, Plan.Target.Channels).CopyTo(new Span<T>(target, Plan.Target.Channels));
        }
    }

    /// <summary>Memory that is wanted next, asked for while the sums run, which leave its bus alone.</summary>
    private struct Fetches
    {
        public int Shares;
        public WinogradFetch Next, AfterNext;
        private int share;

        public void Share()
        {
            Next.Share(share, Shares);
            AfterNext.Share(share, Shares);
            share++;
        }
    }
}

/// <summary>The weights of one source channel for all taps in the order of the phases: [tap][source channel][target channel].</summary>
internal unsafe struct PixelWeightJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    public PixelPlan Plan;
    public T* Weight;
    public T* Packed;

    public readonly void Execute(int part, int worker)
    {
        ConvolutionShape shape = Plan.Shape;
        int taps = shape.KernelElements;
        nint filter = (nint)shape.InChannels * taps;
        (nint fromSource, nint fromTarget) = Plan.Transposed ? (filter, taps) : ((nint)taps, filter);
        T* to = Packed + (nint)part * Plan.Pitch;
        for (int p = 0; p < Plan.Vertical.Phases; p++)
        {
            for (int q = 0; q < Plan.Horizontal.Phases; q++)
            {
                for (int tap = 0; tap < taps; tap++)
                {
                    if (Plan.Vertical.Reads(p, tap / shape.KernelWidth) && Plan.Horizontal.Reads(q, tap % shape.KernelWidth))
                    {
                        Packing.TransposedPanel(1, Plan.Target.Channels, Weight + part * fromSource + tap, fromTarget, to, Plan.Pitch);
                        to += (nint)Plan.Source.Channels * Plan.Pitch;
                    }
                }
            }
        }
    }
}
