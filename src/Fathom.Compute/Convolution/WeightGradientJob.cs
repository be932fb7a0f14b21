using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>The sums of one chunk of samples.</summary>
internal unsafe struct WeightGradientJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Pixels summed in registers: as many rows of dy as share the first-level cache with the input's.</summary>
    private const int DepthBytes = 1024;

    public WeightGradientPlan Plan;
    public T* Input;
    public T* Upstream;
    public T* Sums;
    public WorkerPool Pool;

    public static int ScratchBytes(in WeightGradientPlan plan) =>
        checked((GemmPlan.TileLength + plan.UpstreamElements + plan.Pass.Planes.Elements) * sizeof(T));

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Chunk<V>(int chunk, int worker) where V : struct, ISimd<V, T>
    {
        ConvolutionPass pass = Plan.Pass;
        T* tile = (T*)Pool.Scratch(worker).Pointer;
        T* upstream = tile + GemmPlan.TileLength;
        T* planes = upstream + Plan.UpstreamElements;
        T* sums = Sums + (nint)chunk * Plan.ChunkElements;
        new Span<T>(sums, Plan.ChunkElements).Clear();
        int first = (int)((long)chunk * pass.Samples / Plan.Chunks);
        int end = (int)((long)(chunk + 1) * pass.Samples / Plan.Chunks);
        for (int sample = first; sample < end; sample++)
        {
            for (int group = 0; group < pass.Groups; group++)
            {
                for (int block = 0; block < pass.Blocks; block++)
                {
                    int row = block * pass.BlockRows;
                    int rows = Math.Min(pass.BlockRows, pass.Shape.OutHeight - row);
                    pass.Planes.Pack(Input + sample * pass.Planes.Source.Sample + group * pass.Planes.Channels * pass.Planes.Source.Channel, row, planes);
                    PackUpstream(sample, group, row, rows, upstream);
                    Products<V>(rows, planes, upstream, sums + (nint)group * pass.Terms * Plan.Pitch, tile);
                }
            }
        }
    }

    /// <summary>dy with its channels last, on the grid of the packed planes: 0 where a plane's row goes on beyond the output's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackUpstream(int sample, int group, int firstRow, int rows, T* destination)
    {
        ImageLayout layout = Plan.Pass.Target;
        int channels = Plan.Shape.GroupOut;
        int columns = Plan.Shape.OutWidth;
        T* source = Upstream + sample * layout.Sample + group * channels * layout.Channel + firstRow * layout.Row;
        for (int row = 0; row < rows; row++, source += layout.Row)
        {
            if (layout.Channel == 1)
            {
                for (int column = 0; column < columns; column++)
                {
                    T* to = destination + (nint)column * Plan.Pitch;
                    new ReadOnlySpan<T>(source + column * layout.Pixel, channels).CopyTo(new Span<T>(to, channels));
                    new Span<T>(to + channels, Plan.Pitch - channels).Clear();
                }
            }
            else
            {
                Packing.TransposedPanel(columns, channels, source, layout.Channel, destination, Plan.Pitch);
            }
            int rest = Plan.Pass.Planes.Columns - columns;
            new Span<T>(destination + (nint)columns * Plan.Pitch, rest * Plan.Pitch).Clear();
            destination += (nint)Plan.Pass.Planes.Columns * Plan.Pitch;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Products<V>(int rows, T* planes, T* upstream, T* sums, T* tile) where V : struct, ISimd<V, T>
    {
        ConvolutionShape shape = Plan.Shape;
        int pixels = (rows - 1) * Plan.Pass.Planes.Columns + shape.OutWidth;
        int deepest = DepthBytes / sizeof(T);
        int blocks = (pixels + deepest - 1) / deepest;
        int block = (pixels + blocks - 1) / blocks;
        int used = (shape.GroupOut + V.Count - 1) / V.Count * V.Count;
        for (int first = 0; first < pixels; first += block)
        {
            int depth = Math.Min(block, pixels - first);
            T* dy = upstream + (nint)first * Plan.Pitch;
            for (int column = 0; column < used; column += 2 * V.Count)
            {
                for (int tap = 0; tap < shape.KernelElements; tap++)
                {
                    T* x = planes + first + Plan.Pass.Planes.Offset(0, tap / shape.KernelWidth * shape.DilationHeight, tap % shape.KernelWidth * shape.DilationWidth);
                    T* sum = sums + (nint)tap * shape.GroupIn * Plan.Pitch + column;
                    if (used - column > V.Count)
                    {
                        Tap<V, Extent2>(depth, x, dy + column, sum, tile);
                    }
                    else
                    {
                        Tap<V, Extent1>(depth, x, dy + column, sum, tile);
                    }
                }
            }
        }
    }

    /// <summary>All channels in of one tap and one panel of channels out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Tap<V, TWidth>(int depth, T* x, T* dy, T* sum, T* tile) where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        nint stride = Plan.Pass.Planes.ChannelStride;
        for (int i = 0; i < Plan.Shape.GroupIn;)
        {
            int height = ConvolutionTile.Height(Plan.Shape.GroupIn - i);
            T* top = x + i * stride;
            switch (height)
            {
                case 12: GemmKernel.Tile<T, V, Extent12, TWidth>(depth, top, stride, 1, dy, Plan.Pitch, tile); break;
                case 8: GemmKernel.Tile<T, V, Extent8, TWidth>(depth, top, stride, 1, dy, Plan.Pitch, tile); break;
                case 6: GemmKernel.Tile<T, V, Extent6, TWidth>(depth, top, stride, 1, dy, Plan.Pitch, tile); break;
                case 4: GemmKernel.Tile<T, V, Extent4, TWidth>(depth, top, stride, 1, dy, Plan.Pitch, tile); break;
                case 2: GemmKernel.Tile<T, V, Extent2, TWidth>(depth, top, stride, 1, dy, Plan.Pitch, tile); break;
                default: GemmKernel.Tile<T, V, Extent1, TWidth>(depth, top, stride, 1, dy, Plan.Pitch, tile); break;
            }
            Add<V>(TWidth.Extent * V.Count, height, tile, sum + (nint)i * Plan.Pitch);
            i += height;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Add<V>(int width, int height, T* tile, T* sum) where V : struct, ISimd<V, T>
    {
        for (int r = 0; r < height; r++, tile += width, sum += Plan.Pitch)
        {
            for (int j = 0; j < width; j += V.Count)
            {
                (V.Load(sum + j) + V.Load(tile + j)).Store(sum + j);
            }
        }
    }
}

/// <summary>Adds up the chunks in order, for one tap of one group, and writes them where the weight's layout wants them.</summary>
internal unsafe struct ChunkSumJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    public WeightGradientPlan Plan;
    public T* Sums;
    public T* Gradient;

    public readonly void Execute(int part, int worker)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Sum<Vec512<T>>(part);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Sum<Vec256<T>>(part);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Sum<Vec128<T>>(part);
        }
        else
        {
            Sum<Vec1<T>>(part);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Sum<V>(int part) where V : struct, ISimd<V, T>
    {
        ConvolutionShape shape = Plan.Shape;
        int length = shape.GroupIn * Plan.Pitch;
        T* total = Sums + (nint)part * length;
        for (int i = 0; i < length; i += V.Count)
        {
            V sum = V.Load(total + i);
            for (int chunk = 1; chunk < Plan.Chunks; chunk++)
            {
                sum += V.Load(total + (nint)chunk * Plan.ChunkElements + i);
            }
            sum.Store(total + i);
        }
        int group = part / shape.KernelElements;
        int tap = part % shape.KernelElements;
        T* gradient = Gradient + (nint)group * shape.GroupOut * shape.GroupIn * shape.KernelElements + tap;
        for (int o = 0; o < shape.GroupOut; o++)
        {
            for (int c = 0; c < shape.GroupIn; c++, gradient += shape.KernelElements)
            {
                *gradient = total[(nint)c * Plan.Pitch + o];
            }
        }
    }
}
