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

    /// <summary>Terms summed in registers before C is touched, in bytes: a panel of B then fills the first-level cache twice.</summary>
    private const int DepthBytes = 2048;

    /// <summary>With the depth, 400 KB of A: half a second-level cache.</summary>
    private const int MaxRows = 192;

    private const int MaxColumns = 512;

    /// <summary>Columns of B packed in one sweep: long enough runs of memory to be read without waiting for each.</summary>
    public const int PackedColumns = 64;

    /// <summary>Elements of the largest register tile: 12 rows × 2 vectors of 64 bytes, for floats.</summary>
    public const int TileLength = 12 * 2 * 16;

    /// <summary>Rows and columns of a block of C, and terms summed before C is touched.</summary>
    public int Rows;

    public int Columns;
    public int Depth;
    public int ColumnParts;
    public int Parts;
    public bool PackA;
    public bool PackB;
    public int PackedALength;
    public int PackedBLength;

    /// <summary>Tall tiles need 32 vector registers.</summary>
    private static int TallestTile => Avx512F.IsSupported || AdvSimd.Arm64.IsSupported ? 12 : 6;

    public static GemmPlan For(int elementSize, bool transposeB, int m, int n, int k, int lda, int ldb, int threads)
    {
        GemmPlan plan = default;
        plan.Depth = Balanced(k, DepthBytes / elementSize, 4);
        plan.Rows = Balanced(m, MaxRows, TallestTile);
        plan.Columns = Balanced(n, MaxColumns, 32);
        double work = 2.0 * m * n * k;
        if (threads > 1 && work >= ParallelWork)
        {
            while (plan.Blocks(m, n) < 4 * threads && 2.0 * plan.Rows * plan.Columns * k > 2 * PartWork)
            {
                if (plan.Columns >= 64 && plan.Columns >= plan.Rows)
                {
                    plan.Columns = Balanced(plan.Columns, plan.Columns / 2, 32);
                }
                else if (plan.Rows >= 2 * TallestTile)
                {
                    plan.Rows = Balanced(plan.Rows, plan.Rows / 2, TallestTile);
                }
                else
                {
                    break;
                }
            }
        }
        plan.ColumnParts = (n + plan.Columns - 1) / plan.Columns;
        plan.Parts = plan.Blocks(m, n);
        plan.PackA = n > 64 && (long)plan.Rows * lda * elementSize > 32 * 1024;
        plan.PackB = !transposeB && m >= 48 && (long)k * ldb * elementSize > 256 * 1024;
        plan.PackedALength = plan.PackA ? plan.Rows * RowPitch(plan.Depth) : 0;
        plan.PackedBLength = plan.Depth * (plan.PackB ? PackedColumns : 32);
        return plan;
    }

    /// <summary>Rows of the next tile when this many are left.</summary>
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

    private readonly int Blocks(int m, int n) => ((m + Rows - 1) / Rows) * ((n + Columns - 1) / Columns);

    /// <summary>The length of equal pieces of at most about <paramref name="most"/>, a multiple of <paramref name="unit"/>.</summary>
    private static int Balanced(int length, int most, int unit)
    {
        int pieces = Math.Max(1, (length + most - 1) / most);
        int piece = (length + pieces - 1) / pieces;
        return Math.Max(unit, (piece + unit - 1) / unit * unit);
    }
}
