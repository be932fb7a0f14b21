using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>batch_norm, in training and in evaluation.</summary>
public sealed class NormalizationBatchNormRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["batch_norm"];

    protected override Op OpOf(ReferenceCase reference) =>
        new BatchNorm(reference.Number("momentum", 0.1), reference.Number("eps", 1e-5), reference.Inputs.Contains("weight"));

    protected override int OutputIndex(string output) => output switch { "new_running_mean" => 3, "new_running_var" => 4, _ => 0 };
}

/// <summary>
/// batch_norm_sequence: several batches in training, one after the other, then one in evaluation. What each step leaves
/// in its running statistics enters the next.
/// </summary>
public sealed class NormalizationBatchNormSequenceRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["batch_norm_sequence"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        int[] steps = [.. reference.Tensor("x_train").Shape];
        int[] shape = steps[1..];
        float[][] batches = [.. reference.Tensor("x_train").ToSingles().Chunk(shape.Aggregate(1, (product, extent) => product * extent))];
        float[] mean = reference.Tensor("running_mean").ToSingles();
        float[] variance = reference.Tensor("running_var").ToSingles();
        List<float> y = [], means = [], variances = [];
        foreach (float[] batch in batches)
        {
            GraphRun<float> step = Step(reference, shape, batch, mean, variance, training: true);
            (mean, variance) = (step.Results["mean"], step.Results["variance"]);
            y.AddRange(step.Results["y"]);
            means.AddRange(mean);
            variances.AddRange(variance);
        }
        GraphRun<float> evaluation = Step(reference, [.. reference.Tensor("x_eval").Shape], reference.Tensor("x_eval").ToSingles(), mean, variance, training: false);
        string?[] mismatches =
        [
            reference.Mismatch("y_train", y.ToArray()),
            reference.Mismatch("running_mean_steps", means.ToArray()),
            reference.Mismatch("running_var_steps", variances.ToArray()),
            reference.Mismatch("y_eval", evaluation.Results["y"]),
        ];
        return [.. mismatches.OfType<string>()];
    }

    private static GraphRun<float> Step(ReferenceCase reference, int[] shape, float[] x, float[] mean, float[] variance, bool training)
    {
        GraphRun<float> run = new() { Training = training };
        int[] channels = [shape[1]];
        bool affine = reference.Inputs.Contains("weight");
        List<Value> inputs = [run.Real("x", shape, x)];
        if (affine)
        {
            inputs.Add(run.Real("weight", channels, reference.Tensor("weight").ToSingles()));
            inputs.Add(run.Real("bias", channels, reference.Tensor("bias").ToSingles()));
        }
        inputs.Add(run.Real("running_mean", channels, mean));
        inputs.Add(run.Real("running_var", channels, variance));
        BatchNorm op = new(reference.Number("momentum", 0.1), reference.Number("eps", 1e-5), affine);
        Node node = run.Builder.Add("op", op, inputs.ToArray()).Node;
        run.Output("y", node.Output);
        run.Output("mean", new Value(node, 3));
        run.Output("variance", new Value(node, 4));
        run.Execute();
        return run;
    }
}
