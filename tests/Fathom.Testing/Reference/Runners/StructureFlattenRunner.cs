using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>flatten: the axes start_dim to end_dim become one.</summary>
public sealed class StructureFlattenRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["flatten"];

    protected override Op OpOf(ReferenceCase reference) => new Flatten((int)reference.Number("start_dim", 1), (int)reference.Number("end_dim", -1));
}
