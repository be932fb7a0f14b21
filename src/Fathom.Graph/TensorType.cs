namespace Fathom.Graphs;

/// <summary>What a tensor's elements are.</summary>
public enum ElementKind
{
    /// <summary>Floating point in the precision of the execution (float, or double for gradient checks).</summary>
    Real,

    /// <summary>32-bit integers that name a class or a row.</summary>
    Index,
}

/// <summary>Shape and kind of a value in the graph.</summary>
public sealed record TensorType(Shape Shape, ElementKind Kind = ElementKind.Real)
{
    public override string ToString() => Kind == ElementKind.Real ? Shape.ToString() : $"{Shape} of indices";
}
