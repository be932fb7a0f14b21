using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>positional_add: the first rows of a learnt table.</summary>
public sealed class AttentionPositionalAddRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["positional_add"];

    protected override Op OpOf(ReferenceCase reference) => new PositionalEmbedding((int)reference.Number("max_length"));
}

/// <summary>sinusoidal_positions, with the table as a second output.</summary>
public sealed class AttentionSinusoidalRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["sinusoidal_positions"];

    protected override Op OpOf(ReferenceCase reference) => new SinusoidalPositions(reference.Number("base"));

    protected override int OutputIndex(string output) => output == "table" ? 1 : 0;
}
