using System.Runtime.InteropServices;

namespace Fathom.Compute;

/// <summary>
/// A small number as a type, so that code specialised for it is compiled for it. The struct is as large as its number, because
/// the JIT knows <c>sizeof</c> while it reads the code and passes over what lies behind a condition that it answers; a property
/// it knows only after everything has been read and inlined, which makes a kernel for two rows as slow to compile as one for 12.
/// </summary>
internal interface IExtent
{
    static abstract int Extent { get; }
}

internal readonly struct Extent1 : IExtent
{
    public static int Extent => 1;
}

[StructLayout(LayoutKind.Sequential, Size = 2)]
internal readonly struct Extent2 : IExtent
{
    public static int Extent => 2;
}

[StructLayout(LayoutKind.Sequential, Size = 4)]
internal readonly struct Extent4 : IExtent
{
    public static int Extent => 4;
}

[StructLayout(LayoutKind.Sequential, Size = 6)]
internal readonly struct Extent6 : IExtent
{
    public static int Extent => 6;
}

[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly struct Extent8 : IExtent
{
    public static int Extent => 8;
}

[StructLayout(LayoutKind.Sequential, Size = 12)]
internal readonly struct Extent12 : IExtent
{
    public static int Extent => 12;
}
