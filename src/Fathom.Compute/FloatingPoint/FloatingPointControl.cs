using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fathom.Compute;

/// <summary>
/// The bit of a thread's floating-point control register that flushes denormal results to zero. .NET has no access to
/// it; the C runtime that every process has anyway does: <c>fegetenv</c> and <c>fesetenv</c> (C11, 7.6.4) copy all
/// control registers into memory and back, and this knows where among them the register lies. Windows has a function of
/// its own.
/// </summary>
internal static unsafe class FloatingPointControl
{
    // MXCSR.FTZ (bit 15) flushes results only. MXCSR.DAZ (bit 6) would read denormal operands as zeros too, which breaks
    // code that moves integers through floating-point registers: TensorPrimitives.IndexOfMax then finds wrong indices.
    private const uint FlushResults = 1u << 15;

    // FPCR.FZ (bit 24).
    private const uint FlushAll = 1u << 24;

    // _MCW_DN and _DN_SAVE_OPERANDS_FLUSH_RESULTS of float.h.
    private const uint DenormalMask = 0x0300_0000;
    private const uint SaveOperandsFlushResults = 0x0300_0000;

    private const int EnvironmentWords = 64; // the largest fenv_t known has 32 bytes

    private static readonly string[] Runtimes =
        ["libm.so.6", "libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "/usr/lib/libSystem.dylib", "ucrtbase.dll"];

    private static readonly delegate* unmanaged[SuppressGCTransition]<uint*, int> Save;
    private static readonly delegate* unmanaged[SuppressGCTransition]<uint*, int> Load;
    private static readonly delegate* unmanaged[SuppressGCTransition]<uint*, uint, uint, int> Control;
    private static readonly int word;
    private static readonly uint bit;

    static FloatingPointControl()
    {
        if (OperatingSystem.IsWindows() && RuntimeInformation.ProcessArchitecture == Architecture.X64)
        {
            Control = (delegate* unmanaged[SuppressGCTransition]<uint*, uint, uint, int>)Find("_controlfp_s");
            Supported = Control != null && Works();
            return;
        }
        (word, bit) = Layout();
        if (bit != 0)
        {
            Save = (delegate* unmanaged[SuppressGCTransition]<uint*, int>)Find("fegetenv");
            Load = (delegate* unmanaged[SuppressGCTransition]<uint*, int>)Find("fesetenv");
            Supported = Save != null && Load != null && Works();
        }
    }

    /// <summary>Whether the bit can be set and does what it should.</summary>
    public static bool Supported { get; }

    /// <summary>Sets or clears the bit for this thread.</summary>
    /// <returns>True if it was otherwise before.</returns>
    public static bool Set(bool flush)
    {
        if (Control != null)
        {
            uint now;
            return Control(&now, 0, 0) == 0 && ((now & DenormalMask) == SaveOperandsFlushResults) != flush
                && Control(&now, flush ? SaveOperandsFlushResults : 0, DenormalMask) == 0;
        }
        uint* environment = stackalloc uint[EnvironmentWords];
        if (Save(environment) != 0 || (environment[word] & bit) != 0 == flush)
        {
            return false;
        }
        environment[word] ^= bit;
        return Load(environment) == 0;
    }

    /// <summary>Which 32-bit word of <c>fenv_t</c> is the register, and which of its bits: 0 where that is not known.</summary>
    private static (int Word, uint Bit) Layout() => RuntimeInformation.ProcessArchitecture switch
    {
        // The x87 state of 28 bytes comes first.
        Architecture.X64 when OperatingSystem.IsLinux() => (7, FlushResults),
        // Two 16-bit words of the x87 come first.
        Architecture.X64 when OperatingSystem.IsMacOS() => (1, FlushResults),
        // FPCR, FPSR, 32 bits each.
        Architecture.Arm64 when OperatingSystem.IsLinux() => (0, FlushAll),
        // FPSR, FPCR, 64 bits each.
        Architecture.Arm64 when OperatingSystem.IsMacOS() => (2, FlushAll),
        _ => (0, 0),
    };

    private static nint Find(string function)
    {
        foreach (string runtime in Runtimes)
        {
            if (NativeLibrary.TryLoad(runtime, out nint library) && NativeLibrary.TryGetExport(library, function, out nint address))
            {
                return address;
            }
        }
        return 0;
    }

    /// <summary>Trusts no table of offsets: halves the smallest normal number with the bit set and without it.</summary>
    private static bool Works()
    {
        if (!Set(true))
        {
            return false; // set by the host already, or out of reach
        }
        bool flushed = Halve(BitConverter.UInt32BitsToSingle(0x0080_0000)) == 0;
        return Set(false) && flushed && BitConverter.SingleToUInt32Bits(Halve(BitConverter.UInt32BitsToSingle(0x0080_0000))) == 0x0040_0000;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static float Halve(float x) => x * 0.5f;
}
