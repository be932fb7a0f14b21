using System.Text;
using Fathom.Compute;
using Fathom.Formats.ModelFile;
using Fathom.Formats.SafeTensors;
using Fathom.Training;

namespace Fathom.Testing.Reference.Runners;

/// <summary>
/// lstm_classifier, on numbers or on tokens, written as a model file and traced: loss, every activation, every gradient.
/// </summary>
public sealed class NetworkLstmRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["lstm_classifier"];

    /// <summary>The model file of a case.</summary>
    public static string ModelFile(ReferenceCase reference)
    {
        int length = (int)reference.Number("length");
        int features = (int)reference.Number("input_size");
        bool tokens = reference.Has("vocabulary");
        StringBuilder text = new("fathom: 1\n");
        text.Append(tokens ? $"input: {{shape: {length}, kind: index}}\n" : $"input: [{length}, {features}]\n").Append("layers:\n");
        if (tokens)
        {
            text.Append($"  - {{embedding: {{vocabulary: {reference.Number("vocabulary")}, units: {features}}}, name: embedding}}\n");
        }
        text.Append($"  - {{recurrent: {{cell: lstm, units: {reference.Number("hidden_size")}, layers: {reference.Number("num_layers")}}}, name: lstm}}\n");
        text.Append("  - {select: -1, name: last}\n");
        text.Append($"  - {{dense: {reference.Number("classes")}, name: fc}}\n");
        return text.Append("loss: cross_entropy\noptimizer: sgd\n").ToString();
    }

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        ModelDefinition model = ModelFileReader.Read($"{reference.Id}.yaml", ModelFile(reference));
        SafeTensor x = reference.Tensor(reference.Has("vocabulary") ? "tokens" : "x");
        Dictionary<string, TracedTensor> weights = reference.Inputs.Except(["x", "tokens", "target"]).ToDictionary(name => name,
            name => new TracedTensor([.. reference.Tensor(name).Shape], reference.Tensor(name).ToSingles()));
        float[] targets = [.. reference.Tensor("target").ToInt64s().Select(label => (float)label)];
        float[] input = x.DType == SafeTensorType.I64 ? [.. x.ToInt64s().Select(token => (float)token)] : x.ToSingles();
        using WorkerPool pool = new(1);
        BatchTrace trace = BatchTrace.Run(model, weights, x.Shape[0], input, targets, pool, training: true);

        Dictionary<string, float[]> actual = new() { ["loss"] = [(float)trace.Loss] };
        if (trace.InputGradient is { } gradientOfX)
        {
            actual["grad.x"] = gradientOfX.Elements;
        }
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
}
