using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>embedding: rows of a table by index.</summary>
public sealed class AttentionEmbeddingRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["embedding"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        GraphRun<float> run = new();
        Value indices = run.Index("indices", [.. reference.Tensor("indices").Shape], reference.Tensor("indices").ToInt64s().Select(index => checked((int)index)));
        Value weight = run.Real("weight", [.. reference.Tensor("weight").Shape], reference.Tensor("weight").ToSingles());
        Embedding op = new((int)reference.Number("num_embeddings"), (int)reference.Number("embedding_dim"), (int)reference.Number("padding_idx", -1));
        run.Output("y", run.Builder.Add("op", op, [indices, weight]), reference.Upstream.Contains("y") ? reference.Tensor("grad_output.y").ToSingles() : null);
        run.Execute(reference.GradientInputs);
        return
        [
            .. reference.Outputs.Select(name => reference.Mismatch(name, run.Results[name])).OfType<string>(),
            .. reference.GradientInputs.Select(name => reference.Mismatch($"grad.{name}", run.Gradients[name])).OfType<string>(),
        ];
    }
}
