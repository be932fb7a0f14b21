using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// The weight gradient of one chunk of samples, pixel by pixel: for each tap, the product of the channels that it reads and
/// of dy's, summed over the pixels, row after row. Its result has the form of <see cref="WeightGradientJob{T}"/>'s.
/// </summary>
internal unsafe struct PixelWeightGradientJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    public PixelPlan Plan;
    public WeightGradientPlan Chunks;
    public T* Input;
    public T* Upstream;
    public T* Sums;
    public WorkerPool Pool;

    public static int ScratchBytes(in PixelPlan plan, in WeightGradientPlan chunks) =>
        checked((OffsetElements(plan) + PackedElements(plan) + plan.BlockRows * plan.Target.Width * chunks.Pitch) * sizeof(T));

    public readonly void Execute(int part, int worker)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Chunk<Vec512<T>>(part, worker);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Chunk<Vec256<T>>(part, worker);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Chunk<Vec128<T>>(part, worker);
        }
        else
        {
            Chunk<Vec1<T>>(part, worker);
        }
    }

    /// <summary>An offset is no larger than an element. What follows begins on a cache line.</summary>
    private static int OffsetElements(in PixelPlan plan) => (plan.BlockRows + 15) & ~15;

    private static int PackedElements(in PixelPlan plan) => (plan.SourceElements + 15) & ~15;

    private readonly void Chunk<V>(int chunk, int worker) where V : struct, ISimd<V, T>
    {
        T* scratch = (T*)Pool.Scratch(worker).Pointer;
        int* offsets = (int*)scratch;
        T* packed = scratch + OffsetElements(Plan);
        T* upstream = packed + PackedElements(Plan);
        for (int row = 0; row < Plan.BlockRows; row++)
        {
            offsets[row] = row * Plan.StepHeight * Plan.Columns * Plan.Source.Channels;
        }
        T* sums = Sums + (nint)chunk * Chunks.ChunkElements;
        new Span<T>(sums, Chunks.ChunkElements).Clear();
        int first = (int)((long)chunk * Plan.Shape.Samples / Chunks.Chunks);
        int end = (int)((long)(chunk + 1) * Plan.Shape.Samples / Chunks.Chunks);
        for (int sample = first; sample < end; sample++)
        {
            for (int row = 0; row < Plan.Target.Height; row += Plan.BlockRows)
            {
                int rows = Math.Min(Plan.BlockRows, Plan.Target.Height - row);
                Plan.Pack(Input + sample * Plan.Source.Sample, row * Plan.StepHeight, Plan.Rows(rows), packed);
                PackUpstream(Upstream + sample * Plan.Target.Sample + row * Plan.Target.Row, rows * Plan.Target.Width, upstream);
                Add<V>(rows, offsets, packed, upstream, sums, sample + 1 < end ? sample + 1 : -1);
            }
        }
    }

    private readonly void PackUpstream(T* source, int pixels, T* packed)
    {
        if (Plan.Target.Channel != 1)
        {
            Packing.TransposedPanel(pixels, Plan.Target.Channels, source, Plan.Target.Channel, packed, Chunks.Pitch);
            return;
        }
        for (int pixel = 0; pixel < pixels; pixel++, source += Plan.Target.Pixel, packed += Chunks.Pitch)
        {
            new ReadOnlySpan<T>(source, Plan.Target.Channels).CopyTo(new Span<T>(packed, Plan.Target.Channels));
            new Span<T>(packed + Plan.Target.Channels, Chunks.Pitch - Plan.Target.Channels).Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Add<V>(int rows, int* offsets, T* packed, T* upstream, T* sums, int next) where V : struct, ISimd<V, T>
    {
        PixelSum<T> sum = new()
        {
            Runs = rows,
            Offsets = offsets,
            Depth = Plan.Target.Width,
            ARow = 1,
            ADepth = (nint)Plan.StepWidth * Plan.Source.Channels,
            BDepth = Chunks.Pitch,
            Add = true,
        };
        int taps = Plan.Shape.KernelElements;
        bool fetches = Plan.Blocks == 1 && next >= 0;
        WinogradFetch input = new(Input + next * Plan.Source.Sample, fetches ? Plan.Source.Sample * sizeof(T) : 0);
        WinogradFetch gradient = new(Upstream + next * Plan.Target.Sample, fetches ? Plan.Target.Sample * sizeof(T) : 0);
        for (int channel = 0; channel < Plan.Pitch; channel += 2 * V.Count)
        {
            for (int tap = 0; tap < taps; tap++)
            {
                if (channel == 0)
                {
                    input.Share(tap, taps);
                    gradient.Share(tap, taps);
                }
                int k = tap / Plan.Shape.KernelWidth * Plan.Shape.DilationHeight, l = tap % Plan.Shape.KernelWidth * Plan.Shape.DilationWidth;
                T* from = packed + (k * Plan.Columns + l) * Plan.Source.Channels;
                T* to = sums + (nint)tap * Plan.Source.Channels * Chunks.Pitch + channel;
                if (Plan.Pitch - channel > V.Count)
                {
                    PixelTile.Rows<T, V, Extent2>(Plan.Source.Channels, sum, from, upstream + channel, to, Chunks.Pitch);
                }
                else
                {
                    PixelTile.Rows<T, V, Extent1>(Plan.Source.Channels, sum, from, upstream + channel, to, Chunks.Pitch);
                }
            }
        }
    }
}
