using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>One part is a block of tiles.</summary>
internal unsafe struct WinogradJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    public WinogradPlan Plan;
    public T* Source;
    public T* Weights;
    public T* Bias;
    public T* Target;

    /// <summary>Set to 1 if an output is not finite.</summary>
    public int* Overflow;
    public WorkerPool Pool;

    public static int ScratchBytes(in WinogradPlan plan) => checked((int)(Places.Of(plan).Elements * sizeof(T)));

    public readonly void Execute(int part, int worker)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Block<Vec512<T>>(part, worker);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Block<Vec256<T>>(part, worker);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Block<Vec128<T>>(part, worker);
        }
        else
        {
            Block<Vec1<T>>(part, worker);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Block<V>(int part, int worker) where V : struct, ISimd<V, T>
    {
        (int firstImage, int endImage, int firstStrip, int strips) = Plan.Block(part);
        Places places = Places.Of(Plan);
        T* scratch = (T*)Pool.Scratch(worker).Pointer;
        int perImage = strips * Plan.Across;
        int tiles = (endImage - firstImage) * perImage;
        nint sourcePosition = Plan.Position(tiles, Plan.Patches.Pitch);
        nint targetPosition = Plan.Position(tiles, Plan.Pitch);
        for (int image = firstImage; image < endImage; image++)
        {
            Plan.Patches.Pack(Source + image * Plan.Patches.Image.Sample, firstStrip, strips, scratch + places.Packed);
            T* to = scratch + places.Sources + (nint)(image - firstImage) * perImage * Plan.Patches.Pitch;
            Plan.Patches.Transform<T, V>(strips, scratch + places.Packed, scratch + places.Line, to, sourcePosition);
        }
        WinogradProduct<T> product = new()
        {
            Rows = tiles,
            Columns = Plan.Pitch,
            Depth = Plan.Patches.Image.Channels,
            A = scratch + places.Sources,
            ARow = Plan.Patches.Pitch,
            ADepth = 1,
            APosition = sourcePosition,
            B = Weights,
            BDepth = Plan.Pitch,
            BPosition = Plan.Position(Plan.Patches.Image.Channels, Plan.Pitch),
            C = scratch + places.Targets,
            CPosition = targetPosition,
        };
        product.Run<V>();
        for (int image = firstImage; image < endImage; image++)
        {
            Region region = new() { FirstStrip = firstStrip, Strips = strips, FirstTile = (image - firstImage) * perImage, Tiles = tiles, Position = targetPosition };
            Outputs<V>(region, scratch + places.Targets, scratch + places.Line, scratch + places.Packed);
            Unpack(region, scratch + places.Packed, Target + image * Plan.Target.Sample);
        }
    }

    /// <summary>Transforms the products of an image back, along the rows and then down the columns, to [pixel][channel].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Outputs<V>(in Region region, T* products, T* line, T* packed) where V : struct, ISimd<V, T>
    {
        V check = V.Zero;
        nint lineRow = (nint)Plan.Across * WinogradTransform.Tile * V.Count;
        nint row = (nint)Plan.Target.Width * Plan.Pitch;
        for (int channel = 0; channel < Plan.Pitch; channel += V.Count)
        {
            int panel = channel / (2 * V.Count) * 2 * V.Count;
            int width = Math.Min(2 * V.Count, Plan.Pitch - panel);
            V bias = Bias == null ? V.Zero : V.LoadPartial(Bias + channel, Math.Min(V.Count, Plan.Target.Channels - channel));
            for (int strip = 0; strip < region.Strips; strip++)
            {
                int tile = region.FirstTile + strip * Plan.Across;
                T* from = products + (nint)region.Tiles * panel + (nint)tile * width + channel - panel;
                T* to = packed + strip * WinogradTransform.Tile * row + channel;
                WinogradLines<T> positions = new(from, WinogradTransform.Reach * region.Position, width, region.Position);
                WinogradTransform.Output<T, V>(WinogradTransform.Reach, Plan.Across, positions, new(line, lineRow, WinogradTransform.Tile * V.Count, V.Count));
                check += WinogradTransform.LastOutput<T, V>(1, Plan.Target.Width, bias, new(line, 0, V.Count, lineRow), new(to, 0, Plan.Pitch, row));
            }
        }
        if (V.Any(V.IsNaN(check)))
        {
            *Overflow = 1;
        }
    }

    /// <summary>Brings the rows that the image has into its own layout.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Unpack(in Region region, T* packed, T* target)
    {
        int first = region.FirstStrip * WinogradTransform.Tile;
        int rows = Math.Min(region.Strips * WinogradTransform.Tile, Plan.Target.Height - first);
        int pixels = rows * Plan.Target.Width;
        target += first * Plan.Target.Row;
        if (Plan.Target.Channel != 1)
        {
            Packing.Transpose(Plan.Target.Channels, pixels, packed, Plan.Pitch, target, Plan.Target.Channel);
            return;
        }
        for (int pixel = 0; pixel < pixels; pixel++, packed += Plan.Pitch, target += Plan.Target.Pixel)
        {
            new ReadOnlySpan<T>(packed, Plan.Target.Channels).CopyTo(new Span<T>(target, Plan.Target.Channels));
        }
    }

    /// <summary>The tiles of one image in a block.</summary>
    private struct Region
    {
        public int FirstStrip, Strips, FirstTile, Tiles;
        public nint Position;
    }

    /// <summary>Where things lie in a worker's scratch, in elements.</summary>
    private readonly struct Places
    {
        public long Sources { get; private init; }

        public long Targets { get; private init; }

        public long Line { get; private init; }

        public long Packed { get; private init; }

        public long Elements { get; private init; }

        public static Places Of(in WinogradPlan plan)
        {
            int lanes = WinogradPlan.Lanes(sizeof(T));
            long targets = WinogradTransform.Positions * (long)plan.Position(plan.MostTiles, plan.Patches.Pitch);
            long line = targets + WinogradTransform.Positions * (long)plan.Position(plan.MostTiles, plan.Pitch);
            long packed = line + Math.Max(plan.Patches.LineElements(lanes), WinogradTransform.Reach * WinogradTransform.Tile * plan.Across * lanes);
            // The source of an image is done with when its outputs are there.
            long outputs = (long)plan.StripsAtOnce * WinogradTransform.Tile * plan.Target.Width * plan.Pitch;
            packed = (packed + 15) & ~15L;
            return new Places { Sources = 0, Targets = targets, Line = line, Packed = packed, Elements = packed + Math.Max(plan.Patches.PackedElements(plan.StripsAtOnce), outputs) };
        }
    }
}

/// <summary>G·w·Gᵀ for all channels of the target and one of the source.</summary>
internal unsafe struct WinogradWeightJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    private const int Taps = 9;

    public WinogradPlan Plan;
    public T* Weight;
    public T* Transformed;

    public readonly void Execute(int part, int worker)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Channel<Vec512<T>>(part);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Channel<Vec256<T>>(part);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Channel<Vec128<T>>(part);
        }
        else
        {
            Channel<Vec1<T>>(part);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Channel<V>(int source) where V : struct, ISimd<V, T>
    {
        T* taps = stackalloc T[Taps * V.Count];
        T* half = stackalloc T[WinogradTransform.Reach * 3 * V.Count];
        nint filter = (nint)Plan.Shape.InChannels * Taps;
        (nint fromSource, nint fromTarget) = Plan.Transposed ? (filter, Taps) : ((nint)Taps, filter);
        nint position = Plan.Position(Plan.Patches.Image.Channels, Plan.Pitch);
        for (int target = 0; target < Plan.Pitch; target += V.Count)
        {
            int lanes = Math.Min(V.Count, Plan.Target.Channels - target);
            if (lanes < V.Count)
            {
                new Span<T>(taps, Taps * V.Count).Clear();
            }
            Packing.Transpose(Taps, lanes, Weight + source * fromSource + target * fromTarget, fromTarget, taps, V.Count);
            // Rotated is backwards.
            WinogradLines<T> rows = Plan.Transposed ? new(taps + (Taps - 1) * V.Count, 0, -V.Count, -3 * V.Count) : new(taps, 0, V.Count, 3 * V.Count);
            WinogradTransform.Weight<T, V>(1, 3, rows, new(half, 0, V.Count, 3 * V.Count));
            T* to = Transformed + (nint)source * Plan.Pitch + target;
            WinogradTransform.Weight<T, V>(1, WinogradTransform.Reach, new(half, 0, 3 * V.Count, V.Count), new(to, 0, WinogradTransform.Reach * position, position));
        }
    }
}
