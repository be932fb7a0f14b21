using System.Collections.Frozen;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// The blocks that a model file may name: the one list to add a line to. The key is the block's kind; the value has
/// default settings, which a file overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class BlockCatalog
{
    public static readonly FrozenDictionary<string, Block> ByKind = new Block[]
    {
        new Highway(new Relu()),
        new Residual(),
        new TransformerBlock(1),
        new Recurrent(1),
    }.ToFrozenDictionary(block => block.Kind);
}
