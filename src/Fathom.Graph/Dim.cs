using System.Globalization;

namespace Fathom.Graphs;

/// <summary>
/// One extent of a tensor: a fixed number, or a multiple of the batch size N, which stays open until a plan is made.
/// </summary>
/// <param name="Size">The number itself, or the factor in front of N; at least 1.</param>
/// <param name="PerSample">True for <c>Size·N</c>.</param>
public readonly record struct Dim(int Size, bool PerSample = false)
{
    /// <summary>The batch size N.</summary>
    public static Dim Batch => new(1, true);

    /// <summary>The extent for a given batch size.</summary>
    public int Bind(int batch) => PerSample ? checked(Size * batch) : Size;

    public static implicit operator Dim(int size) => new(size);

    public override string ToString() => (PerSample, Size) switch
    {
        (true, 1) => "N",
        (true, _) => Size.ToString(CultureInfo.InvariantCulture) + "N",
        _ => Size.ToString(CultureInfo.InvariantCulture),
    };
}
