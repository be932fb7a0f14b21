using System.Runtime.InteropServices;

namespace Fathom.Bench;

/// <summary>OpenBLAS's single-precision product, if the library is on this machine. For comparison only.</summary>
internal sealed unsafe class OpenBlas
{
    private const int RowMajor = 101, NotTransposed = 111, Transposed = 112;

    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> multiply;
    private readonly delegate* unmanaged<int, void> setThreads;

    private OpenBlas(nint library)
    {
        multiply = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
    }

    /// <summary>The library by a path, or as the loader finds it; null if there is none.</summary>
    public static OpenBlas? Load(string? path)
    {
        foreach (string name in path is null ? (string[])["libopenblas.so.0", "libopenblas.so", "libopenblas.dll", "libopenblas.dylib"] : [path])
        {
            if (NativeLibrary.TryLoad(name, out nint library))
            {
                return new OpenBlas(library);
            }
        }
        return path is null ? null : throw new BenchException($"{path} cannot be loaded; give the path of a libopenblas");
    }

    public void Threads(int count) => setThreads(count);

    public void Multiply(bool transposeA, bool transposeB, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc) =>
        multiply(RowMajor, transposeA ? Transposed : NotTransposed, transposeB ? Transposed : NotTransposed, m, n, k, 1, a, lda, b, ldb, 0, c, ldc);
}
