using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// One part is some rows of one sample. All terms of an output are summed by one thread in the order of the table, so the
/// result depends neither on the parts nor on who computes them.
/// </summary>
internal unsafe struct ConvolutionJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Terms summed in registers before the output is touched: with them, a panel of weights and one of inputs share the first-level cache.</summary>
    private const int DepthBytes = 1280;

    public ConvolutionPass Pass;
    public T* Source;
    public T* Target;
    public T* Panels;
    public T* Bias;
    public int* Offsets;
    public WorkerPool Pool;

    public static int ScratchBytes(in ConvolutionPass pass) => checked((ConvolutionTile.Length + pass.Planes.Elements) * sizeof(T));

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Rows<V>(int part, int worker) where V : struct, ISimd<V, T>
    {
        int sample = part / Pass.Blocks;
        int firstRow = part % Pass.Blocks * Pass.BlockRows;
        T* tile = (T*)Pool.Scratch(worker).Pointer;
        T* planes = tile + ConvolutionTile.Length;
        for (int group = 0; group < Pass.Groups; group++)
        {
            Pass.Planes.Pack(Source + sample * Pass.Planes.Source.Sample + group * Pass.Planes.Channels * Pass.Planes.Source.Channel, firstRow, planes);
            int start = 0;
            for (int p = 0; p < Pass.Vertical.Phases; p++)
            {
                for (int q = 0; q < Pass.Horizontal.Phases; q++)
                {
                    int channel = group * Pass.TargetChannels;
                    Region region = new()
                    {
                        Rows = Math.Min(Pass.BlockRows, Pass.Vertical.Outputs(p) - firstRow),
                        Columns = Pass.Horizontal.Outputs(q),
                        Depth = Pass.Planes.Channels * Pass.Vertical.Count(p) * Pass.Horizontal.Count(q),
                        Panels = Panels + (nint)channel * Pass.Terms + (nint)Pass.TargetChannels * start,
                        Offsets = Offsets + start,
                        Bias = Bias == null ? null : Bias + channel,
                        Planes = planes,
                        Tile = tile,
                        Target = Target + sample * Pass.Target.Sample + channel * Pass.Target.Channel
                            + (firstRow * Pass.Vertical.Step + p) * Pass.Target.Row + q * Pass.Target.Pixel,
                    };
                    if (region.Rows > 0 && region.Columns > 0)
                    {
                        Compute<V>(region);
                    }
                    start += region.Depth;
                }
            }
        }
    }

    /// <summary>
    /// Tiles run along rows; or, where rows are not a multiple of a tile, on into the next row, across the padding, and what
    /// is computed there is thrown away; or narrow rows share a tile in pairs. Whatever wastes least.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Compute<V>(in Region region) where V : struct, ISimd<V, T>
    {
        int across = (region.Rows - 1) * Pass.Planes.Columns + region.Columns;
        double byRow = region.Rows * Cost<V>(region.Columns);
        double inPairs = region.Columns <= V.Count ? region.Rows : double.PositiveInfinity;
        bool runsOn = Cost<V>(across) < Math.Min(byRow, inPairs);
        bool pairs = !runsOn && inPairs < byRow;
        (int lines, int length) = runsOn ? (1, across) : (region.Rows, region.Columns);
        int deepest = Math.Max(1, DepthBytes / sizeof(T));
        int blocks = Math.Max(1, (region.Depth + deepest - 1) / deepest);
        int block = (region.Depth + blocks - 1) / blocks;
        int first = 0;
        do
        {
            int depth = Math.Min(block, region.Depth - first);
            int line = 0;
            for (; pairs && line <= lines - 2; line += 2)
            {
                Pair<V>(region, first, depth, line);
            }
            for (; line < lines; line++)
            {
                Line<V>(region, first, depth, line * Pass.Planes.Columns, length);
            }
            first += depth;
        }
        while (first < region.Depth);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Line<V>(in Region region, int first, int depth, int start, int length) where V : struct, ISimd<V, T>
    {
        for (int j = 0; j < length; j += 2 * V.Count)
        {
            int valid = Math.Min(2 * V.Count, length - j);
            if (valid > V.Count)
            {
                Column<V, Extent2>(region, first, depth, start + j, valid);
            }
            else
            {
                Column<V, Extent1>(region, first, depth, start + j, valid);
            }
        }
    }

    /// <summary>All channels of two rows that are no longer than a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Pair<V>(in Region region, int first, int depth, int row) where V : struct, ISimd<V, T>
    {
        int pitch = Pass.Planes.Columns;
        nint step = Pass.Vertical.Step * Pass.Target.Row;
        for (int i = 0; i < Pass.TargetChannels;)
        {
            int height = ConvolutionTile.Height(Pass.TargetChannels - i);
            T* bias = region.Bias == null ? null : region.Bias + i;
            T* target = region.Target + i * Pass.Target.Channel + row * step;
            ConvolutionTile.Run<T, V, Extent2>(height, depth, region.Panels + (nint)i * region.Depth + first * height, region.Planes + row * pitch, pitch, region.Offsets + first, region.Tile);
            Write<V>(region.Tile, 2 * V.Count, height, region.Columns, target, bias, first > 0);
            Write<V>(region.Tile + V.Count, 2 * V.Count, height, region.Columns, target + step, bias, first > 0);
            i += height;
        }
    }

    /// <summary>Effort for a line, in halves of a tile; a half tile costs more than half.</summary>
    private static double Cost<V>(int length) where V : struct, ISimd<V, T>
    {
        int rest = length % (2 * V.Count);
        return length / (2 * V.Count) * 2 + (rest == 0 ? 0 : rest > V.Count ? 2 : 1.25);
    }

    /// <summary>All channels of one tile's pixels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Column<V, TWidth>(in Region region, int first, int depth, int at, int valid)
        where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        for (int i = 0; i < Pass.TargetChannels;)
        {
            int height = ConvolutionTile.Height(Pass.TargetChannels - i);
            ConvolutionTile.Run<T, V, TWidth>(height, depth, region.Panels + (nint)i * region.Depth + first * height, region.Planes + at, V.Count, region.Offsets + first, region.Tile);
            // Row by row of pixels, as far as the tile covers it.
            for (int lane = 0; lane < valid;)
            {
                int row = (at + lane) / Pass.Planes.Columns;
                int column = (at + lane) - row * Pass.Planes.Columns;
                int run = Math.Min(valid - lane, region.Columns - column);
                if (run > 0)
                {
                    T* target = region.Target + i * Pass.Target.Channel + row * Pass.Vertical.Step * Pass.Target.Row + column * Pass.Horizontal.Step * Pass.Target.Pixel;
                    Write<V>(region.Tile + lane, TWidth.Extent * V.Count, height, run, target, region.Bias == null ? null : region.Bias + i, first > 0);
                }
                lane += Pass.Planes.Columns - column;
            }
            i += height;
        }
    }

    /// <summary>target = tile (+ target) (+ bias).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Write<V>(T* tile, int pitch, int height, int run, T* target, T* bias, bool add) where V : struct, ISimd<V, T>
    {
        nint step = Pass.Horizontal.Step * Pass.Target.Pixel;
        if (step == 1)
        {
            WriteRuns<V>(tile, pitch, height, run, target, Pass.Target.Channel, add ? null : bias, add);
            return;
        }
        for (int r = 0; r < height; r++, tile += pitch, target += Pass.Target.Channel)
        {
            WriteApart(tile, run, target, step, bias == null || add ? T.Zero : bias[r], add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteRuns<V>(T* tile, nint pitch, int height, int run, T* target, nint channel, T* bias, bool add) where V : struct, ISimd<V, T>
    {
        int whole = run - run % V.Count, rest = run - whole;
        for (int r = 0; r < height; r++, tile += pitch, target += channel)
        {
            V offset = bias == null ? V.Zero : V.Broadcast(bias[r]);
            for (int k = 0; k < whole; k += V.Count)
            {
                V value = V.Load(tile + k);
                (value + (add ? V.Load(target + k) : offset)).Store(target + k);
            }
            if (rest > 0)
            {
                // What is read beyond the run belongs to the next row, or lies behind the tile in the same scratch.
                V value = V.Load(tile + whole);
                (value + (add ? V.LoadPartial(target + whole, rest) : offset)).StorePartial(target + whole, rest);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteApart(T* tile, int run, T* target, nint step, T offset, bool add)
    {
        for (int k = 0; k < run; k++, target += step)
        {
            *target = tile[k] + (add ? *target : offset);
        }
    }

    /// <summary>The outputs of one phase in a part.</summary>
    private struct Region
    {
        public int Rows, Columns, Depth;
        public T* Panels, Bias, Planes, Tile, Target;
        public int* Offsets;
    }
}

/// <summary>Brings the weights of a group's tile into panels, for all phases.</summary>
internal unsafe struct PanelJob<T> : IParallelJob where T : unmanaged
{
    public ConvolutionPass Pass;
    public T* Weight;
    public T* Panels;
    public int* Indices;

    public readonly void Execute(int part, int worker)
    {
        ConvolutionShape shape = Pass.Shape;
        T* weight = Weight + (nint)part * shape.GroupOut * shape.GroupIn * shape.KernelElements;
        nint row = Pass.Transposed ? shape.KernelElements : (nint)shape.GroupIn * shape.KernelElements;
        T* panels = Panels + (nint)part * Pass.TargetChannels * Pass.Terms;
        int start = 0;
        for (int p = 0; p < Pass.Vertical.Phases; p++)
        {
            for (int q = 0; q < Pass.Horizontal.Phases; q++)
            {
                int depth = Pass.Planes.Channels * Pass.Vertical.Count(p) * Pass.Horizontal.Count(q);
                ConvolutionTile.Pack(Pass.TargetChannels, depth, weight, row, Indices + start, panels + (nint)Pass.TargetChannels * start);
                start += depth;
            }
        }
    }
}
