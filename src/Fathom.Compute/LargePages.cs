using System.Runtime.InteropServices;

namespace Fathom.Compute;

/// <summary>
/// Asks Linux to back a large block with pages of 2 MiB, which it does only where a program says that it wants them. A
/// tensor of some megabytes that is read channel by channel is on a new page of 4 KiB every plane: each has to be looked
/// up, and the processor does not fetch ahead across its end. It is a wish: where it is not granted, or there is no such
/// function, all works as before.
/// </summary>
internal static unsafe class LargePages
{
    /// <summary>Bytes of a page, to which a block is aligned so that all of it can lie on such pages.</summary>
    public const int Size = 2 * 1024 * 1024;

    private const int AdviceHugePage = 14; // MADV_HUGEPAGE

    private static readonly string[] Runtimes = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

    private static readonly delegate* unmanaged<void*, nuint, int, int> Advise = Find();

    /// <summary>Whether a block of so many bytes is worth it.</summary>
    public static bool Suit(long bytes) => bytes >= 2L * Size && Advise != null;

    /// <summary>Tells the system about a block that is aligned to <see cref="Size"/> and has not been touched yet.</summary>
    public static void Want(void* block, long bytes) => Advise(block, (nuint)(bytes & -Size), AdviceHugePage);

    private static delegate* unmanaged<void*, nuint, int, int> Find()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }
        foreach (string runtime in Runtimes)
        {
            if (NativeLibrary.TryLoad(runtime, out nint library) && NativeLibrary.TryGetExport(library, "madvise", out nint function))
            {
                return (delegate* unmanaged<void*, nuint, int, int>)function;
            }
        }
        return null;
    }
}
