namespace Fathom.Compute;

/// <summary>A small number as a type, so that code specialised for it is compiled for it.</summary>
internal interface IExtent
{
    static abstract int Extent { get; }
}

internal readonly struct Extent1 : IExtent
{
    public static int Extent => 1;
}

internal readonly struct Extent2 : IExtent
{
    public static int Extent => 2;
}

internal readonly struct Extent4 : IExtent
{
    public static int Extent => 4;
}

internal readonly struct Extent6 : IExtent
{
    public static int Extent => 6;
}

internal readonly struct Extent8 : IExtent
{
    public static int Extent => 8;
}

internal readonly struct Extent12 : IExtent
{
    public static int Extent => 12;
}
