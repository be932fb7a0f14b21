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
    public WinogradPlan Plan;
    public WeightGradientPlan Chunks;
    public T* Input;
    public T* Upstream;
    public T* Sums;

    /// <summary>Set to 1 if a sum is not finite.</summary>
    public int* Overflow;
    public WorkerPool Pool;

    private readonly WinogradPatches Gradients => Plan.Cut(Plan.Target, Plan.Pitch, 0, 0, WinogradTransform.Tile);

    public static int ScratchBytes(in WinogradPlan plan) => checked((int)(Places.Of(plan).Elements * sizeof(T)));

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
        bool begun = false;
        for (int image = first; image < end; image += Plan.ImagesAtOnce)
        {
            int images = Math.Min(Plan.ImagesAtOnce, end - image);
            for (int strip = 0; strip < Plan.Strips; strip += Plan.StripsAtOnce)
            {
                Accumulate<V>(image, images, strip, Math.Min(Plan.StripsAtOnce, Plan.Strips - strip), begun, scratch);
                begun = true;
            }
        }
        TransformBack<V>(Sums + (nint)chunk * Chunks.ChunkElements, scratch);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Accumulate<V>(int firstImage, int images, int firstStrip, int strips, bool add, T* scratch) where V : struct, ISimd<V, T>
    {
        Places places = Places.Of(Plan);
        WinogradPatches gradients = Gradients;
        int perImage = strips * Plan.Across;
        int tiles = images * perImage;
        nint inputPosition = Plan.Position(tiles, Plan.Patches.Pitch);
        nint gradientPosition = Plan.Position(tiles, Plan.Pitch);
        for (int image = 0; image < images; image++)
        {
            T* packed = scratch + places.Packed;
            T* line = scratch + places.Line;
            Plan.Patches.Pack(Input + (firstImage + image) * Plan.Patches.Image.Sample, firstStrip, strips, packed);
            Plan.Patches.Transform<T, V>(strips, packed, line, scratch + places.Inputs + (nint)image * perImage * Plan.Patches.Pitch, inputPosition);
            gradients.Pack(Upstream + (firstImage + image) * Plan.Target.Sample, firstStrip, strips, packed);
            gradients.Transform<T, V>(strips, packed, line, scratch + places.Gradients + (nint)image * perImage * Plan.Pitch, gradientPosition);
        }
        WinogradProduct<T> product = new()
        {
            Rows = Plan.Patches.Image.Channels,
            Columns = Plan.Pitch,
            Depth = tiles,
            A = scratch + places.Inputs,
            ARow = 1,
            ADepth = Plan.Patches.Pitch,
            APosition = inputPosition,
            B = scratch + places.Gradients,
            BDepth = Plan.Pitch,
            BPosition = gradientPosition,
            C = scratch + places.Products,
            CPosition = Plan.Position(Plan.Patches.Image.Channels, Plan.Pitch),
            Tile = add ? scratch + places.Tile : null,
        };
        product.Run<V>();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void TransformBack<V>(T* sums, T* scratch) where V : struct, ISimd<V, T>
    {
        Places places = Places.Of(Plan);
        int channels = Plan.Patches.Image.Channels;
        nint position = Plan.Position(channels, Plan.Pitch);
        nint tap = (nint)channels * Chunks.Pitch;
        T* half = scratch + places.Tile;
        V check = V.Zero;
        for (int target = 0; target < Plan.Pitch; target += V.Count)
        {
            int panel = target / (2 * V.Count) * 2 * V.Count;
            int width = Math.Min(2 * V.Count, Plan.Pitch - panel);
            T* from = scratch + places.Products + (nint)channels * panel + target - panel;
            T* to = sums + target;
            for (int source = 0; source < channels; source++, from += width, to += Chunks.Pitch)
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

    /// <summary>Where things lie in a worker's scratch, in elements.</summary>
    private readonly struct Places
    {
        public long Inputs { get; private init; }

        public long Gradients { get; private init; }

        public long Products { get; private init; }

        /// <summary>A register tile, or 18 vectors.</summary>
        public long Tile { get; private init; }

        public long Line { get; private init; }

        public long Packed { get; private init; }

        public long Elements { get; private init; }

        public static Places Of(in WinogradPlan plan)
        {
            WinogradPatches gradients = plan.Cut(plan.Target, plan.Pitch, 0, 0, WinogradTransform.Tile);
            int lanes = WinogradPlan.Lanes(sizeof(T));
            int tiles = plan.ImagesAtOnce * plan.StripsAtOnce * plan.Across;
            long gradientsAt = WinogradTransform.Positions * (long)plan.Position(tiles, plan.Patches.Pitch);
            long products = gradientsAt + WinogradTransform.Positions * (long)plan.Position(tiles, plan.Pitch);
            long tile = products + WinogradTransform.Positions * (long)plan.Position(plan.Patches.Image.Channels, plan.Pitch);
            long line = tile + GemmPlan.TileLength;
            long packed = line + Math.Max(plan.Patches.LineElements(lanes), gradients.LineElements(lanes));
            packed = (packed + 15) & ~15L;
            long elements = packed + Math.Max(plan.Patches.PackedElements(plan.StripsAtOnce), gradients.PackedElements(plan.StripsAtOnce));
            return new Places { Gradients = gradientsAt, Products = products, Tile = tile, Line = line, Packed = packed, Elements = elements };
        }
    }
}
