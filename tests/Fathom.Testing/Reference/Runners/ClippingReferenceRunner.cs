using Fathom.Training.Clipping;
using Fathom.Training.Execution;

namespace Fathom.Testing.Reference.Runners;

/// <summary>Gradient clipping.</summary>
public sealed class ClippingReferenceRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops =>
        ["clip_by_value", "clip_by_global_norm", "clip_by_tensor_norm", "adaptive_gradient_clipping"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        int count = reference.Inputs.Count(name => name[0] == 'g');
        double normType = reference.TextAttribute("norm_type") == "inf" ? double.PositiveInfinity : reference.Number("norm_type", 2);
        using ParameterStore<float> store = ParameterTensors.Store<float>([.. Enumerable.Range(0, count).Select(i => reference.Tensor($"g{i}").Shape.ToArray())]);
        float[] norms = new float[count];
        for (int i = 0; i < count; i++)
        {
            reference.Tensor($"g{i}").ToSingles().CopyTo(store.Gradient(store.Slices[i]).Span);
            norms[i] = (float)GradientNorm.Of<float>(store.Gradient(store.Slices[i]), normType);
            if (reference.Inputs.Contains($"w{i}"))
            {
                reference.Tensor($"w{i}").ToSingles().CopyTo(store.Value(store.Slices[i]).Span);
            }
        }
        Dictionary<string, float[]> results = new()
        {
            ["norms"] = norms,
            ["total_norm"] = [(float)GradientNorm.Of(store, normType)],
        };
        GradientClipping clipping = ClippingOf(reference, normType);
        clipping.Validate();
        clipping.Apply(store, GradientNorm.Of(store), []);
        for (int i = 0; i < count; i++)
        {
            results[$"clipped{i}"] = store.Gradient(store.Slices[i]).Span.ToArray();
        }
        return [.. reference.Outputs.Select(name => reference.Mismatch(name, results[name])).OfType<string>()];
    }

    private static GradientClipping ClippingOf(ReferenceCase reference, double normType) => reference.Op switch
    {
        "clip_by_value" => new ClipByValue(reference.Number("clip_value")),
        "clip_by_global_norm" => new ClipByGlobalNorm(reference.Number("max_norm"), normType),
        "clip_by_tensor_norm" => new ClipByTensorNorm(reference.Number("max_norm"), normType),
        _ => new ClipAdaptively(reference.Number("clip_factor"), reference.Number("eps")),
    };
}
