using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// One product, cut into blocks of C. Each block sums over all of k by itself, in steps of <see cref="GemmPlan.Depth"/>
/// that depend on k alone, so an element of C is the same whatever the blocks and whoever computes them.
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

    public readonly void Execute(int part, int worker)
    {
        int row = part / Plan.ColumnParts * Plan.Rows;
        int column = part % Plan.ColumnParts * Plan.Columns;
        int rows = Math.Min(Plan.Rows, M - row);
        int columns = Math.Min(Plan.Columns, N - column);
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
            for (int i = row; i < row + rows; i++)
            {
                Elementwise.MapHere(Epilogue, C + i * CStride + column, Activated + i * CStride + column, columns);
            }
        }
    }

    private readonly void Block<V>(int row, int rows, int column, int columns, T* scratch) where V : struct, ISimd<V, T>
    {
        T* tile = scratch;
        T* packedA = tile + GemmPlan.TileLength;
        T* packedB = packedA + Plan.PackedALength;
        int depth = 0;
        do
        {
            int block = Math.Min(Plan.Depth, K - depth);
            T* a = A + row * ARow + depth * ADepth;
            nint aRow = ARow, aDepth = ADepth;
            bool panels = false;
            if (Plan.PackA)
            {
                panels = aRow == 1;
                PackA(a, rows, block, packedA);
                a = packedA;
                aRow = panels ? 1 : GemmPlan.RowPitch(block);
                aDepth = 1;
            }
            for (int j = 0; j < columns; j += 2 * V.Count)
            {
                int inGroup = j % GemmPlan.PackedColumns;
                if (Plan.PackB && inGroup == 0)
                {
                    int group = Math.Min(GemmPlan.PackedColumns, columns - j);
                    Packing.Panels<T, V>(block, group, B + depth * BStride + column + j, BStride, packedB);
                }
                int valid = Math.Min(2 * V.Count, columns - j);
                int width = valid > V.Count ? 2 * V.Count : V.Count;
                T* b;
                nint bDepth;
                if (TransposeB)
                {
                    Packing.TransposedPanel(block, valid, B + (column + j) * BStride + depth, BStride, packedB, width);
                    b = packedB;
                    bDepth = width;
                }
                else if (Plan.PackB)
                {
                    b = packedB + inGroup * block;
                    bDepth = width;
                }
                else if (valid < width)
                {
                    Packing.Panels<T, V>(block, valid, B + depth * BStride + column + j, BStride, packedB);
                    b = packedB;
                    bDepth = width;
                }
                else
                {
                    b = B + depth * BStride + column + j;
                    bDepth = BStride;
                }
                var edge = new Edge { C = C + row * CStride + column + j, Add = depth > 0 || Accumulate, Bias = depth > 0 || Bias == null ? null : Bias + column + j, Columns = valid };
                if (width > V.Count)
                {
                    Column<V, Extent2>(rows, block, a, aRow, aDepth, panels, b, bDepth, tile, edge);
                }
                else
                {
                    Column<V, Extent1>(rows, block, a, aRow, aDepth, panels, b, bDepth, tile, edge);
                }
            }
            depth += block;
        }
        while (depth < K);
    }

    /// <summary>All tiles of one panel of columns, from the top down: as tall as the registers allow, then the rest.</summary>
    private readonly void Column<V, TWidth>(int rows, int depth, T* a, nint aRow, nint aDepth, bool panels, T* b, nint bDepth, T* tile, Edge edge)
        where V : struct, ISimd<V, T> where TWidth : struct, IExtent
    {
        for (int i = 0; i < rows;)
        {
            int height = GemmPlan.TileHeight(rows - i);
            T* top = a + i * (panels ? depth : aRow);
            nint step = panels ? height : aDepth;
            switch (height)
            {
                case 12: GemmKernel.Tile<T, V, Extent12, TWidth>(depth, top, aRow, step, b, bDepth, tile); break;
                case 8: GemmKernel.Tile<T, V, Extent8, TWidth>(depth, top, aRow, step, b, bDepth, tile); break;
                case 6: GemmKernel.Tile<T, V, Extent6, TWidth>(depth, top, aRow, step, b, bDepth, tile); break;
                case 4: GemmKernel.Tile<T, V, Extent4, TWidth>(depth, top, aRow, step, b, bDepth, tile); break;
                case 2: GemmKernel.Tile<T, V, Extent2, TWidth>(depth, top, aRow, step, b, bDepth, tile); break;
                default: GemmKernel.Tile<T, V, Extent1, TWidth>(depth, top, aRow, step, b, bDepth, tile); break;
            }
            Finish<V, TWidth>(height, tile, edge, edge.C + i * CStride);
            i += height;
        }
    }

    /// <summary>C = tile (+ C) (+ bias), within the valid columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Finish<V, TWidth>(int height, T* tile, Edge edge, T* c)
        where V : struct, ISimd<V, T> where TWidth : struct, IExtent
    {
        for (int j = 0; j < TWidth.Extent * V.Count; j += V.Count)
        {
            int valid = Math.Min(V.Count, edge.Columns - j);
            V bias = edge.Bias == null ? V.Zero : V.LoadPartial(edge.Bias + j, valid);
            T* from = tile + j;
            T* to = c + j;
            for (int i = 0; i < height; i++)
            {
                V value = V.Load(from);
                if (edge.Add)
                {
                    value += valid == V.Count ? V.Load(to) : V.LoadPartial(to, valid);
                }
                if (edge.Bias != null)
                {
                    value += bias;
                }
                if (valid == V.Count)
                {
                    value.Store(to);
                }
                else
                {
                    value.StorePartial(to, valid);
                }
                from += TWidth.Extent * V.Count;
                to += CStride;
            }
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
            T* destination = packed + i * depth;
            T* source = a + i;
            int quads = height & ~3;
            for (int p = 0; p < depth; p++)
            {
                for (int r = 0; r < quads; r += 4)
                {
                    Unsafe.CopyBlockUnaligned(destination + r, source + r, (uint)(4 * sizeof(T)));
                }
                for (int r = quads; r < height; r++)
                {
                    destination[r] = source[r];
                }
                destination += height;
                source += ADepth;
            }
            i += height;
        }
    }

    /// <summary>Where a panel of columns ends up, and what is added on the way.</summary>
    private struct Edge
    {
        public T* C;
        public bool Add;
        public T* Bias;
        public int Columns;
    }
}

/// <summary>No epilogue.</summary>
internal readonly struct Identity<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => x;
}
