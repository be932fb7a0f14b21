namespace Fathom.Compute;

/// <summary>Where the elements of one sample lie, in either order of the axes.</summary>
internal readonly struct ImageLayout(int channels, int height, int width, bool channelsLast)
{
    public readonly int Channels = channels;
    public readonly int Height = height;
    public readonly int Width = width;
    public readonly nint Sample = (nint)channels * height * width;
    public readonly nint Channel = channelsLast ? 1 : (nint)height * width;
    public readonly nint Row = channelsLast ? (nint)width * channels : width;
    public readonly nint Pixel = channelsLast ? channels : 1;
}
