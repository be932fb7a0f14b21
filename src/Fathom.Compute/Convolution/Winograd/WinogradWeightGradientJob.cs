using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// The weight gradient of one chunk of samples on tiles: transformed inputs times transformed gradients of the output, summed
/// over the tiles and transformed back once. Its result has the form of <see cref="WeightGradientJob{T}"/>'s.
/// </summary>
internal unsafe struct WinogradWeightGradientJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Channels of the input whose sums are worked on at a time: whole register tiles.</summary>
    private const int RowsAtOnce = 24;

    public WinogradPlan Plan;
    public WeightGradientPlan Chunks;
    public T* Input;
    public T* Upstream;
    public T* Sums;

    /// <summary>Set to 1 if a sum is not finite.</summary>
    public int* Overflow;
    public WorkerPool Pool;

    private readonly WinogradPatches Gradients => Plan.Cut(Plan.Target, Plan.Pitch, 0, 0, WinogradTransform.Tile);

    public static int ScratchBytes(in WinogradPlan plan, in WeightGradientPlan chunks) => checked((int)(Places.Of(plan, chunks).Elements * sizeof(T)));

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
        int first = (int)((long)chunk * Plan.Shape.Samples / Chunks.Chunks);
        int end = (int)((long)(chunk + 1) * Plan.Shape.Samples / Chunks.Chunks);
        T* scratch = (T*)Pool.Scratch(worker).Pointer;
        T* sums = Sums + (nint)chunk * Chunks.ChunkElements;
        Region all = new() { Rows = Plan.Patches.Image.Channels, Columns = Plan.Pitch };
        if (Places.Of(Plan, Chunks).AllAtOnce)
        {
            // All tiles are there: a few channels after the other, so that the sums stay in the cache until they are transformed back.
            Tiles tiles = Transform<V>(first, end - first, 0, Plan.Strips, scratch);
            int following = chunk + Pool.Threads;
            Fetches fetches = following >= Chunks.Chunks ? default : Wanted((int)((long)following * Plan.Shape.Samples / Chunks.Chunks), end - first);
            Region region = all;
            for (region.Column = 0; region.Column < Plan.Pitch; region.Column += 2 * V.Count)
            {
                region.Columns = Math.Min(2 * V.Count, Plan.Pitch - region.Column);
                for (region.Row = 0; region.Row < all.Rows; region.Row += RowsAtOnce)
                {
                    region.Rows = Math.Min(RowsAtOnce, all.Rows - region.Row);
                    Multiply<V>(tiles, region, false, fetches, scratch);
                    fetches = default;
                    TransformBack<V>(region, sums, scratch);
                }
            }
            return;
        }
        bool begun = false;
        for (int image = first; image < end; image += Plan.ImagesAtOnce)
        {
            for (int strip = 0; strip < Plan.Strips; strip += Plan.StripsAtOnce)
            {
                Tiles tiles = Transform<V>(image, Math.Min(Plan.ImagesAtOnce, end - image), strip, Math.Min(Plan.StripsAtOnce, Plan.Strips - strip), scratch);
                int next = image + Plan.ImagesAtOnce;
                bool known = Plan.StripsAtOnce == Plan.Strips && next < end;
                Multiply<V>(tiles, all, begun, known ? Wanted(next, Math.Min(Plan.ImagesAtOnce, end - next)) : default, scratch);
                begun = true;
            }
        }
        TransformBack<V>(all, sums, scratch);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly Tiles Transform<V>(int firstImage, int images, int firstStrip, int strips, T* scratch) where V : struct, ISimd<V, T>
    {
        Places places = Places.Of(Plan, Chunks);
        WinogradPatches gradients = Gradients;
        int perImage = strips * Plan.Across;
        int count = images * perImage;
        Tiles tiles = new() { Count = count, InputPosition = Plan.Position(count, Plan.Patches.Pitch), GradientPosition = Plan.Position(count, Plan.Pitch) };
        for (int image = 0; image < images; image++)
        {
            T* packed = scratch + places.Packed;
            T* line = scratch + places.Line;
            Plan.Patches.Pack(Input + (firstImage + image) * Plan.Patches.Image.Sample, firstStrip, strips, packed);
            Plan.Patches.Transform<T, V>(strips, packed, line, scratch + places.Inputs + (nint)image * perImage * Plan.Patches.Pitch, tiles.InputPosition);
            gradients.Pack(Upstream + (firstImage + image) * Plan.Target.Sample, firstStrip, strips, packed);
            gradients.Transform<T, V>(strips, packed, line, scratch + places.Gradients + (nint)image * perImage * Plan.Pitch, tiles.GradientPosition);
        }
        return tiles;
    }

    private readonly void Multiply<V>(in Tiles tiles, in Region region, bool add, in Fetches fetches, T* scratch) where V : struct, ISimd<V, T>
    {
        Places places = Places.Of(Plan, Chunks);
        WinogradProduct<T> product = new()
        {
            Rows = region.Rows,
            Columns = region.Columns,
            Depth = tiles.Count,
            A = scratch + places.Inputs + region.Row,
            ARow = 1,
            ADepth = Plan.Patches.Pitch,
            APosition = tiles.InputPosition,
            B = scratch + places.Gradients + region.Column,
            BDepth = Plan.Pitch,
            BPosition = tiles.GradientPosition,
            C = scratch + places.Products,
            CRow = region.Columns,
            CPosition = Plan.Position(region.Rows, region.Columns),
            Add = add,
            Next = fetches.Inputs,
            AfterNext = fetches.Gradients,
        };
        product.Run<V>();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void TransformBack<V>(in Region region, T* sums, T* scratch) where V : struct, ISimd<V, T>
    {
        Places places = Places.Of(Plan, Chunks);
        nint position = Plan.Position(region.Rows, region.Columns);
        nint tap = (nint)Plan.Patches.Image.Channels * Chunks.Pitch;
        T* half = scratch + places.Half;
        V check = V.Zero;
        for (int column = 0; column < region.Columns; column += V.Count)
        {
            T* from = scratch + places.Products + column;
            T* to = sums + (nint)region.Row * Chunks.Pitch + region.Column + column;
            for (int row = 0; row < region.Rows; row++, from += region.Columns, to += Chunks.Pitch)
            {
                WinogradLines<T> positions = new(from, 0, WinogradTransform.Reach * position, position);
                check += WinogradTransform.WeightGradient<T, V>(1, WinogradTransform.Reach, positions, new(half, 0, 3 * V.Count, V.Count));
                check += WinogradTransform.WeightGradient<T, V>(1, 3, new(half, 0, V.Count, 3 * V.Count), new(to, 0, tap, 3 * tap));
            }
        }
        if (V.Any(V.IsNaN(check)))
        {
            *Overflow = 1;
        }
    }

    /// <summary>The images that are transformed next, as far as there are so many.</summary>
    private readonly Fetches Wanted(int image, int images)
    {
        images = Math.Min(images, Plan.Shape.Samples - image);
        return new Fetches
        {
            Inputs = new WinogradFetch(Input + image * Plan.Patches.Image.Sample, images * Plan.Patches.Image.Sample * sizeof(T)),
            Gradients = new WinogradFetch(Upstream + image * Plan.Target.Sample, images * Plan.Target.Sample * sizeof(T)),
        };
    }

    /// <summary>Memory to ask for while the products run.</summary>
    private struct Fetches
    {
        public WinogradFetch Inputs, Gradients;
    }

    /// <summary>Tiles that are transformed.</summary>
    private struct Tiles
    {
        public int Count;
        public nint InputPosition, GradientPosition;
    }

    /// <summary>Channels of the input (rows) and of the output (columns) whose sums are worked on.</summary>
    private struct Region
    {
        public int Row, Rows, Column, Columns;
    }

    /// <summary>Where things lie in a worker's scratch, in elements.</summary>
    private readonly struct Places
    {
        /// <summary>Whether all tiles of a chunk fit, so that a few of the sums are made at a time.</summary>
        public bool AllAtOnce { get; private init; }

        public long Inputs { get; private init; }

        public long Gradients { get; private init; }

        public long Products { get; private init; }

        /// <summary>18 vectors.</summary>
        public long Half { get; private init; }

        public long Line { get; private init; }

        public long Packed { get; private init; }

        public long Elements { get; private init; }

        public static Places Of(in WinogradPlan plan, in WeightGradientPlan chunks)
        {
            WinogradPatches gradients = plan.Cut(plan.Target, plan.Pitch, 0, 0, WinogradTransform.Tile);
            int lanes = WinogradPlan.Lanes(sizeof(T));
            int tiles = plan.ImagesAtOnce * plan.StripsAtOnce * plan.Across;
            long gradientsAt = WinogradTransform.Positions * (long)plan.Position(tiles, plan.Patches.Pitch);
            long products = gradientsAt + WinogradTransform.Positions * (long)plan.Position(tiles, plan.Pitch);
            bool allAtOnce = plan.StripsAtOnce == plan.Strips && PackedPlanes.CeilingDivide(plan.Shape.Samples, chunks.Chunks) <= plan.ImagesAtOnce;
            int channels = plan.Patches.Image.Channels;
            nint sums = allAtOnce ? plan.Position(Math.Min(RowsAtOnce, channels), Math.Min(2 * lanes, plan.Pitch)) : plan.Position(channels, plan.Pitch);
            long half = products + WinogradTransform.Positions * (long)sums;
            long line = half + 3 * WinogradTransform.Reach * lanes;
            long packed = line + Math.Max(plan.Patches.LineElements(lanes), gradients.LineElements(lanes));
            packed = (packed + 15) & ~15L;
            long elements = packed + Math.Max(plan.Patches.PackedElements(plan.StripsAtOnce), gradients.PackedElements(plan.StripsAtOnce));
            return new Places { AllAtOnce = allAtOnce, Gradients = gradientsAt, Products = products, Half = half, Line = line, Packed = packed, Elements = elements };
        }
    }
}
