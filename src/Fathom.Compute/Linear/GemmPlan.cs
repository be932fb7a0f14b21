using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>How a product is cut into blocks, and what is packed.</summary>
internal struct GemmPlan
{
    /// <summary>Work below which a second thread costs more than it gives, in floating-point operations.</summary>
    private const double ParallelWork = 1e6;

    /// <summary>The least work worth handing over.</summary>
    private const double PartWork = 2.5e5;

    /// <summary>Work from which there are several parts for each thread, so that one that is held up can be helped.</summary>
    private const double BalancedWork = 2e7;

    /// <summary>Terms summed in registers before C is touched, in bytes: a panel of B then fills the first-level cache twice.</summary>
    private const int DepthBytes = 2048;

    /// <summary>With the depth, 400 KB of A: half a second-level cache.</summary>
    private const int MaxRows = 192;

    private const int MaxColumns = 512;

    /// <summary>Columns of B packed in one sweep: long enough runs of memory to be read without waiting for each.</summary>
    public const int PackedColumns = 64;

    /// <summary>Elements of the largest register tile: 12 rows × 2 vectors of 64 bytes, for floats.</summary>
    public const int TileLength = 12 * 2 * 16;

    /// <summary>Columns of a part begin on a cache line of floats, rows on a multiple of this.</summary>
    private const int ColumnUnit = 16;

    /// <summary>Most rows and columns of a block of C, and terms that are summed before the next block of B is packed.</summary>
    public int Rows;

    public int Columns;
    public int Depth;
    public int RowParts;
    public int ColumnParts;
    public bool PackA;
    public bool PackB;
    public int PackedALength;
    public int PackedBLength;

    public readonly int Parts => RowParts * ColumnParts;

    /// <summary>Tall tiles need 32 vector registers.</summary>
    private static int TallestTile => Avx512F.IsSupported || AdvSimd.Arm64.IsSupported ? 12 : 6;

    public static GemmPlan For(int elementSize, bool transposeA, bool transposeB, int m, int n, int k, int lda, int ldb, int threads)
    {
        GemmPlan plan = default;
        plan.Depth = Balanced(k, DepthBytes / elementSize, 4);
        plan.RowParts = Pieces(m, MaxRows);
        plan.ColumnParts = Pieces(n, MaxColumns);
        double work = 2.0 * m * n * k;
        if (threads > 1 && work >= ParallelWork)
        {
            plan.Share(m, n, work < BalancedWork ? threads : 2 * threads, (int)(work / PartWork));
        }
        plan.Rows = Math.Min(m, (m + plan.RowParts - 1) / plan.RowParts + TallestTile);
        plan.Columns = Math.Min(n, (n + plan.ColumnParts - 1) / plan.ColumnParts + ColumnUnit);
        plan.PackA = n > 64 && (transposeA ? (long)k : plan.Rows) * lda * elementSize > PackedBytes(lda * (long)elementSize);
        bool collides = plan.Depth * 128L > 2 * CacheBytes(ldb * (long)elementSize);
        plan.PackB = !transposeB && ((m >= 48 && (long)k * ldb * elementSize > 256 * 1024) || (m >= 8 * TallestTile && collides));
        plan.PackedALength = plan.PackA ? plan.Rows * RowPitch(plan.Depth) : 0;
        plan.PackedBLength = plan.Depth * (plan.PackB ? PackedColumns : 32);
        return plan;
    }

    /// <summary>
    /// More parts for more threads. Columns first, because a part packs its columns of B itself; rows where a block would
    /// be narrower than it is tall.
    /// </summary>
    private void Share(int m, int n, int wanted, int most)
    {
        wanted = Math.Min(wanted, most);
        while (Parts < wanted)
        {
            int rows = m / RowParts, columns = n / ColumnParts;
            if (columns >= 64 && (columns >= rows || rows < 2 * TallestTile))
            {
                ColumnParts *= 2;
            }
            else if (rows >= 2 * TallestTile)
            {
                RowParts *= 2;
            }
            else
            {
                break;
            }
        }
    }

    /// <summary>
    /// Bytes of an operand from which it is copied first. A stride of half a page puts every second row into the same few
    /// sets of the first-level cache.
    /// </summary>
    private static int PackedBytes(long stride) => stride % 2048 == 0 ? 32 * 1024 : 256 * 1024;

    /// <summary>
    /// What the first-level cache (64 sets of 8 lines) holds of rows that lie this far apart: a large power of two leaves
    /// few sets for them.
    /// </summary>
    private static long CacheBytes(long stride) => 32 * 1024 * 64 / Math.Clamp(stride & -stride, 64, 4096);

    /// <summary>First row of a part; of the part after the last one, m.</summary>
    public readonly int RowStart(int part, int m) => Cut(part, RowParts, m, m > 8 * TallestTile * RowParts ? TallestTile : 4);

    public readonly int ColumnStart(int part, int n) => Cut(part, ColumnParts, n, ColumnUnit);

    private static int Cut(int part, int parts, int length, int unit) =>
        part == 0 ? 0 : part == parts ? length : (int)((long)length * part / parts + unit / 2) / unit * unit;

    /// <summary>Rows of the next tile when this many are left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int TileHeight(int left)
    {
        int tallest = TallestTile;
        if (left >= tallest)
        {
            return tallest;
        }
        return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    }

    /// <summary>Distance of packed rows: one cache line more than they need, so that they do not share a set.</summary>
    public static int RowPitch(int depth) => ((depth + 15) & ~15) + 16;

    public readonly int ScratchBytes(int elementSize) => (TileLength + PackedALength + PackedBLength) * elementSize;

    private static int Pieces(int length, int most) => Math.Max(1, (length + most - 1) / most);

    /// <summary>The length of equal pieces of at most about <paramref name="most"/>, a multiple of <paramref name="unit"/>.</summary>
    private static int Balanced(int length, int most, int unit)
    {
        int pieces = Pieces(length, most);
        int piece = (length + pieces - 1) / pieces;
        return Math.Max(unit, (piece + unit - 1) / unit * unit);
    }
}
