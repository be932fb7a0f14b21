using Fathom.Compute;
using Fathom.Formats.SafeTensors;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Testing.Reference.Runners;

/// <summary>mlp_sigmoid: dense layers with sigmoids between; loss, every activation, every gradient.</summary>
public sealed class NetworkMlpRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["mlp_sigmoid"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        SafeTensor x = reference.Tensor("x");
        SafeTensor target = reference.Tensor("target");
        Loss loss = reference.TextAttribute("loss") == "mse" ? new MeanSquaredError() : new CrossEntropy();
        ModelDefinition model = new(reference.Id, Network(reference), new TrainingPlan { Loss = loss, Optimizer = new Sgd() });
        Dictionary<string, TracedTensor> weights = reference.Inputs.Except(["x", "target"]).ToDictionary(name => name,
            name => new TracedTensor([.. reference.Tensor(name).Shape], reference.Tensor(name).ToSingles()));
        float[] targets = target.DType == SafeTensorType.I64 ? [.. target.ToInt64s().Select(label => (float)label)] : target.ToSingles();
        using WorkerPool pool = new(1);
        BatchTrace trace = BatchTrace.Run(model, weights, x.Shape[0], x.ToSingles(), targets, pool, training: true);

        Dictionary<string, float[]> actual = new() { ["loss"] = [(float)trace.Loss], ["grad.x"] = trace.InputGradient!.Elements };
        foreach (TracedLayer layer in trace.Layers)
        {
            actual[$"act.{layer.Layer.Name}"] = layer.Output.Elements;
            actual[$"grad.act.{layer.Layer.Name}"] = layer.Gradient!.Elements;
        }
        foreach ((string name, TracedTensor gradient) in trace.ParameterGradients)
        {
            actual[$"grad.{name}"] = gradient.Elements;
        }
        return [.. reference.Outputs.Concat(reference.GradientInputs.Concat(reference.Activations).Select(name => $"grad.{name}"))
            .Select(name => reference.Mismatch(name, actual[name])).OfType<string>()];
    }

    private static Graph Network(ReferenceCase reference)
    {
        int[] sizes = [.. reference.Attributes.GetProperty("sizes").EnumerateArray().Select(size => size.GetInt32())];
        NetworkCursor cursor = Graphs.Network.Input(sizes[0]);
        for (int i = 1; i < sizes.Length; i++)
        {
            cursor = cursor.Dense(sizes[i], name: $"layers.{i - 1}");
            cursor = i < sizes.Length - 1 ? cursor.Sigmoid($"sigmoid.{i - 1}") : cursor;
        }
        return cursor.Build();
    }
}
