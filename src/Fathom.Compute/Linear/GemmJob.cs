using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// One product, cut into blocks of C. Each block sums over all of k by itself and in order, so an element of C is the
/// same whatever the blocks and whoever computes them.
/// </summary>
internal unsafe struct GemmJob<T, TEpilogue> : IParallelJob
    where T : unmanaged, IFloatingPointIeee754<T> where TEpilogue : struct, IUnaryOperator<T>
{
    public int M;
    public int N;
    public int K;
    public T* A;
    public nint ARow;
    public nint ADepth;
    public T* B;
    public nint BStride;
    public bool TransposeB;
    public T* C;
    public nint CStride;
    public bool Accumulate;
    public T* Bias;
    public TEpilogue Epilogue;
    public T* Activated;
    public GemmPlan Plan;
    public WorkerPool Pool;

    /// <summary>What will be read after the product, to be asked for on the way.</summary>
    public Buffer<T>* Following;
    public int FollowingCount;

    /// <summary>
    /// Terms by which a panel of B that is read in place is asked for ahead: while its rows come from memory the first tile
    /// would wait for each, and hardware gives up on strides like a row of weights.
    /// </summary>
    private const int Ahead = 8;

    public readonly void Execute(int part, int worker)
    {
        int rowPart = part / Plan.ColumnParts, columnPart = part - rowPart * Plan.ColumnParts;
        int row = Plan.RowStart(rowPart, M), column = Plan.ColumnStart(columnPart, N);
        int rows = Plan.RowStart(rowPart + 1, M) - row, columns = Plan.ColumnStart(columnPart + 1, N) - column;
        T* scratch = (T*)Pool.Scratch(worker).Pointer;
        if (Vector512.IsHardwareAccelerated)
        {
            Block<Vec512<T>>(row, rows, column, columns, scratch);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Block<Vec256<T>>(row, rows, column, columns, scratch);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Block<Vec128<T>>(row, rows, column, columns, scratch);
        }
        else
        {
            Block<Vec1<T>>(row, rows, column, columns, scratch);
        }
        if (typeof(TEpilogue) != typeof(Identity<T>))
        {
            Activate(row, rows, column, columns);
        }
    }

    private readonly void Activate(int row, int rows, int column, int columns)
    {
        T* from = C + row * CStride + column;
        T* to = Activated + row * CStride + column;
        if (columns == CStride)
        {
            Elementwise.MapHere(Epilogue, from, to, rows * columns);
            return;
        }
        for (int i = 0; i < rows; i++, from += CStride, to += CStride)
        {
            Elementwise.MapHere(Epilogue, from, to, columns);
        }
    }

    private readonly void Block<V>(int row, int rows, int column, int columns, T* scratch) where V : struct, ISimd<V, T>
    {
        GemmAhead<T> ahead = new(Following, FollowingCount);
        Region region = new() { Rows = rows, Columns = columns, ADepth = ADepth, ARow = ARow, Tile = scratch, Ahead = &ahead };
        T* packedA = scratch + GemmPlan.TileLength;
        region.PackedB = packedA + Plan.PackedALength;
        int depth = 0;
        do
        {
            region.Depth = Math.Min(Plan.Depth, K - depth);
            region.A = A + row * ARow + depth * ADepth;
            if (Plan.PackA)
            {
                region.Panels = ARow == 1;
                PackA(region.A, rows, region.Depth, packedA);
                region.A = packedA;
                region.ARow = region.Panels ? 1 : GemmPlan.RowPitch(region.Depth);
                region.ADepth = 1;
            }
            region.B = B + (TransposeB ? column * BStride + depth : depth * BStride + column);
            region.C = C + row * CStride + column;
            region.Bias = depth > 0 || Bias == null ? null : Bias + column;
            region.Add = depth > 0 || Accumulate;
            Columns<V>(region);
            depth += region.Depth;
        }
        while (depth < K);
    }

    /// <summary>
    /// Panels of two vectors, and what is left in one or in a narrower one: 100 columns are three of 32 and one of 4, which
    /// costs a quarter of a full vector.
    /// </summary>
    private readonly void Columns<V>(in Region region) where V : struct, ISimd<V, T>
    {
        int columns = region.Columns;
        int full = V.Count;
        int half = V.Count > Vec128<T>.Count ? V.Count / 2 : 0;
        int whole = Plan.PackB ? columns - columns % (2 * full) : 0;
        int j = 0;
        while (j < columns)
        {
            int left = columns - j;
            if (left > full + half)
            {
                T* packed = j < whole ? PackedPanel<V>(region, j, whole) : null;
                Panel<V, Extent2>(region, j, Math.Min(left, 2 * full), packed);
                j += 2 * full;
            }
            else if (left > half)
            {
                Panel<V, Extent1>(region, j, Math.Min(left, full), null);
                j += full;
            }
            else if (half == 2 * Vec128<T>.Count && left > Vec128<T>.Count)
            {
                Panel<Vec256<T>, Extent1>(region, j, left, null);
                j += half;
            }
            else
            {
                Panel<Vec128<T>, Extent1>(region, j, left, null);
                j += Vec128<T>.Count;
            }
        }
    }

    /// <summary>Packs several panels at a time, and gives the one that starts at column j.</summary>
    private readonly T* PackedPanel<V>(in Region region, int j, int whole) where V : struct, ISimd<V, T>
    {
        int inGroup = j % GemmPlan.PackedColumns;
        if (inGroup == 0)
        {
            Packing.Panels<T, V>(region.Depth, Math.Min(GemmPlan.PackedColumns, whole - j), region.B + j, BStride, region.PackedB);
        }
        return region.PackedB + inGroup * region.Depth;
    }

    /// <summary>One panel of columns. B is read in place where its rows can be loaded as they are.</summary>
    private readonly void Panel<V, TWidth>(in Region region, int j, int valid, T* packed)
        where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        int width = TWidth.Extent * V.Count;
        Operand b = new() { Row = packed, Depth = width };
        if (packed == null)
        {
            b.Row = region.PackedB;
            if (TransposeB)
            {
                Packing.TransposedPanel(region.Depth, valid, region.B + j * BStride, BStride, b.Row, width);
            }
            else if (Plan.PackB || valid < width)
            {
                Packing.Panels<T, V>(region.Depth, valid, region.B + j, BStride, b.Row);
            }
            else
            {
                b.Row = region.B + j;
                b.Depth = BStride;
            }
        }
        if (TransposeB && j + width < region.Columns)
        {
            // The rows that the next panel is made of, whose lines are far apart.
            b.Next = region.B + (j + width) * BStride;
            nint each = Math.Max(1, (nint)region.Depth * 64 * TWidth.Extent / sizeof(T));
            b.NextTiles = (int)Math.Min(int.MaxValue, (width * BStride + each - 1) / each);
        }
        if (valid < width || (region.Add && region.Bias != null))
        {
            GuardedColumn<V, TWidth>(region, b, j, valid);
            return;
        }
        T* c = region.C + j;
        T* start = region.Add ? c : region.Bias == null ? null : region.Bias + j;
        Rows<V, TWidth>(region, 0, region.Rows, b, start, region.Add ? CStride : 0, c, CStride);
    }

    /// <summary>The same through a tile in memory, where C has fewer columns than the tile or starts as more than one thing.</summary>
    private readonly void GuardedColumn<V, TWidth>(in Region region, in Operand b, int j, int valid)
        where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        int width = TWidth.Extent * V.Count;
        T* c = region.C + j;
        for (int i = 0; i < region.Rows;)
        {
            int height = GemmPlan.TileHeight(region.Rows - i);
            for (int r = 0; r < height; r++)
            {
                for (int column = 0; column < width; column++)
                {
                    T before = region.Add && column < valid ? c[r * CStride + column] : T.Zero;
                    region.Tile[r * width + column] = region.Bias == null || column >= valid ? before : before + region.Bias[j + column];
                }
            }
            Rows<V, TWidth>(region, i, i + height, b, region.Tile, width, region.Tile, width);
            for (int r = 0; r < height; r++)
            {
                for (int column = 0; column < valid; column++)
                {
                    c[r * CStride + column] = region.Tile[r * width + column];
                }
            }
            i += height;
            c += height * CStride;
        }
    }

    /// <summary>Tiles as tall as the registers allow, and smaller ones for the rows that are left.</summary>
    private static void Rows<V, TWidth>(in Region region, int i, int end, in Operand b, T* start, nint startRow, T* c, nint cRow)
        where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        while (i < end)
        {
            int height = GemmPlan.TileHeight(end - i);
            int tiles = (end - i) / height;
            T* top = region.A + i * (region.Panels ? region.Depth : region.ARow);
            nint step = region.Panels ? height : region.ADepth;
            nint tile = height * (region.Panels ? region.Depth : region.ARow);
            // Where nothing else is wanted, each tile asks for the panel that it reads a few terms ahead.
            T* next = b.Row + Ahead * b.Depth;
            nint nextStep = b.Depth, nextTile = 0;
            int asking = b.NextTiles - i / height;
            bool far = i > 0 && !region.Ahead->IsEmpty;
            if (far)
            {
                nextStep = 64 * TWidth.Extent / sizeof(T);
                nextTile = region.Depth * nextStep;
                tiles = region.Ahead->Take(tiles, nextTile, out next);
            }
            else if (asking > 0)
            {
                nextStep = 64 * TWidth.Extent / sizeof(T);
                nextTile = region.Depth * nextStep;
                next = b.Next + i / height * nextTile;
                tiles = Math.Min(tiles, asking);
            }
            else if (!region.Ahead->IsEmpty)
            {
                tiles = 1; // the panel itself comes first
            }
            switch (height)
            {
                case 12: GemmKernel.Tiles<T, V, Extent12, TWidth>(tiles, region.Depth, top, region.ARow, step, tile, b.Row, b.Depth, next, nextStep, nextTile, far, start, startRow, c, cRow); break;
                case 8: GemmKernel.Tiles<T, V, Extent8, TWidth>(tiles, region.Depth, top, region.ARow, step, tile, b.Row, b.Depth, next, nextStep, nextTile, far, start, startRow, c, cRow); break;
                case 6: GemmKernel.Tiles<T, V, Extent6, TWidth>(tiles, region.Depth, top, region.ARow, step, tile, b.Row, b.Depth, next, nextStep, nextTile, far, start, startRow, c, cRow); break;
                case 4: GemmKernel.Tiles<T, V, Extent4, TWidth>(tiles, region.Depth, top, region.ARow, step, tile, b.Row, b.Depth, next, nextStep, nextTile, far, start, startRow, c, cRow); break;
                case 2: GemmKernel.Tiles<T, V, Extent2, TWidth>(tiles, region.Depth, top, region.ARow, step, tile, b.Row, b.Depth, next, nextStep, nextTile, far, start, startRow, c, cRow); break;
                default: GemmKernel.Tiles<T, V, Extent1, TWidth>(tiles, region.Depth, top, region.ARow, step, tile, b.Row, b.Depth, next, nextStep, nextTile, far, start, startRow, c, cRow); break;
            }
            i += tiles * height;
            c += tiles * height * cRow;
            start += tiles * height * startRow;
        }
    }

    /// <summary>
    /// A stored by rows is copied by rows, apart by a pitch that spreads them over the cache's sets; A stored by columns
    /// is copied in panels as tall as the tiles.
    /// </summary>
    private readonly void PackA(T* a, int rows, int depth, T* packed)
    {
        if (ARow != 1)
        {
            int pitch = GemmPlan.RowPitch(depth);
            for (int i = 0; i < rows; i++)
            {
                new ReadOnlySpan<T>(a + i * ARow, depth).CopyTo(new Span<T>(packed + i * pitch, depth));
            }
            return;
        }
        for (int i = 0; i < rows;)
        {
            int height = GemmPlan.TileHeight(rows - i);
            Packing.Rows(depth, height, a + i, ADepth, packed + i * depth);
            i += height;
        }
    }

    /// <summary>Rows and terms of a block: its operands, and what its sums start with.</summary>
    private struct Region
    {
        public int Rows;
        public int Depth;
        public T* A;
        public nint ARow;
        public nint ADepth;
        public bool Panels;
        public T* B;
        public T* PackedB;
        public T* C;
        public T* Bias;
        public bool Add;
        public T* Tile;
        public int Columns;
        public GemmAhead<T>* Ahead;
    }

    /// <summary>A panel of B: its rows, how far apart they are, and what is asked for meanwhile by so many tiles.</summary>
    private struct Operand
    {
        public T* Row;
        public nint Depth;
        public T* Next;
        public int NextTiles;
    }
}

/// <summary>No epilogue.</summary>
internal readonly struct Identity<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => x;
}
