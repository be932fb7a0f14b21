namespace Fathom.Graphs;

/// <summary>
/// A part of a network that is made of several layers, such as a highway layer. It exists only while a graph is built:
/// it expands into ordinary nodes, named <c>block.part</c>, which theory, diagnosis and repair see like any others. A
/// block is a value. One file per block; adding one means adding its file, a line in <see cref="BlockCatalog"/>, and
/// its test.
/// </summary>
public abstract record Block
{
    /// <summary>The name in model files, messages and node names, such as <c>highway</c>; no op's.</summary>
    public abstract string Kind { get; }

    /// <summary>
    /// True if it goes around layers, which in a model file stand under its <c>layers</c>: its first input is their output, its
    /// second what they read.
    /// </summary>
    public virtual bool WrapsLayers => false;

    /// <summary>Adds the block's layers through the scope; returns the value that is the block's output.</summary>
    /// <exception cref="GraphException">The block does not suit its inputs, or one of its settings is out of range.</exception>
    public abstract Value Expand(BlockScope scope);
}
