using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>linear: y = x·Wᵀ + b.</summary>
public sealed class LinearRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["linear"];

    protected override Op OpOf(ReferenceCase reference) => new Dense(reference.Tensor("weight").Shape[0], reference.Inputs.Contains("bias"));
}

/// <summary>matmul: vectors enter as matrices of one row (left) or one column (right), which changes no element.</summary>
public sealed class LinearMatMulRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["matmul"];

    protected override Op OpOf(ReferenceCase reference) => new MatMul(reference.Flag("transpose_a"), reference.Flag("transpose_b"));

    protected override int[] ShapeOf(ReferenceCase reference, string input) => base.ShapeOf(reference, input) switch
    {
        [int length] => input == "a" ? [1, length] : [length, 1],
        int[] shape => shape,
    };
}
