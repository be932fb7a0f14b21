using Fathom.Compute;
using Fathom.Formats.SafeTensors;
using Fathom.Training;

namespace Fathom.Testing.Reference.Runners;

/// <summary>
/// Runs a whole network over its batch, as <c>fathom trace</c> does: loss, every activation, every gradient, what layers
/// let one read, and the running statistics that the step leaves.
/// </summary>
public abstract class NetworkRunner : ReferenceRunner
{
    /// <summary>The network and its loss.</summary>
    protected abstract ModelDefinition Model(ReferenceCase reference);

    public sealed override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        string input = reference.Inputs.Contains("tokens") ? "tokens" : "x";
        Dictionary<string, TracedTensor> weights = reference.Inputs.Except([input, "target"]).ToDictionary(name => name,
            name => new TracedTensor([.. reference.Tensor(name).Shape], reference.Tensor(name).ToSingles()));
        using WorkerPool pool = new(1);
        BatchTrace trace = BatchTrace.Run(Model(reference), weights, reference.Tensor(input).Shape[0], Numbers(reference.Tensor(input)), Numbers(reference.Tensor("target")), pool, training: true);
        Dictionary<string, float[]> actual = Tensors(trace);
        return [.. reference.Outputs.Concat(reference.GradientInputs.Concat(reference.Activations).Select(name => $"grad.{name}"))
            .Select(name => reference.Mismatch(name, actual[name])).OfType<string>()];
    }

    private static float[] Numbers(SafeTensor tensor) => tensor.DType == SafeTensorType.I64 ? [.. tensor.ToInt64s().Select(index => (float)index)] : tensor.ToSingles();

    /// <summary>By the names of the reference.</summary>
    private static Dictionary<string, float[]> Tensors(BatchTrace trace)
    {
        Dictionary<string, float[]> tensors = new() { ["loss"] = [(float)trace.Loss] };
        if (trace.InputGradient is { } gradientOfInput)
        {
            tensors["grad.x"] = gradientOfInput.Elements;
        }
        foreach (TracedLayer layer in trace.Layers)
        {
            tensors[$"act.{layer.Layer.Name}"] = layer.Output.Elements;
            tensors[$"grad.act.{layer.Layer.Name}"] = layer.Gradient?.Elements ?? [];
        }
        foreach ((string name, TracedTensor reading) in trace.Readings)
        {
            tensors[name] = reading.Elements;
        }
        foreach ((string name, TracedTensor gradient) in trace.ParameterGradients)
        {
            tensors[$"grad.{name}"] = gradient.Elements;
        }
        foreach ((string name, TracedTensor statistic) in trace.NewStatistics)
        {
            tensors[$"new.{name}"] = statistic.Elements;
        }
        return tensors;
    }
}
