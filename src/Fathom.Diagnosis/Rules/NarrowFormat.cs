using System.Collections.Immutable;
using System.Globalization;
using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Training;
using Fathom.Training.Execution;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Numbers that float32 holds and a narrower format would not: they overflow there, or become 0. A warning where the plan
/// asks for the format; otherwise a note, and about fp16 alone.
/// </summary>
public sealed class NarrowFormat : Rule
{
    /// <summary>
    /// Share of a layer's gradient that may become 0 where the format is asked for: at 5 % of the weights' gradients
    /// Micikevicius et al. 2018 (Mixed precision training, section 3.1) kept float32 copies of the weights.
    /// </summary>
    private const double Lost = 0.05;

    /// <summary>The share where nobody asked: most of what half of the layers learn from. A choice, not measured.</summary>
    private const double MostlyLost = 0.5;

    /// <summary>
    /// Share of a constant prediction's loss below which a network has learnt: gradients that die out then are no loss where
    /// nobody asked for the format.
    /// </summary>
    private const double Learnt = 0.2;

    /// <summary>Binary orders between the largest scaled gradient and the format's largest number.</summary>
    private const int Margin = 3;

    /// <summary>Its identifier.</summary>
    public const string RuleId = "FTH066";

    public override string Id => RuleId;

    public override string Problem => "outside of the number format";

    public override string Threshold =>
        "with precision in the plan: a magnitude beyond the format's largest, or 5 % of a layer's gradient below half its smallest; without: a magnitude beyond fp16's 65504, or, while the loss is above 20 % of a constant prediction's, half of the gradient of half of the layers below 3e-8";

    public override Finding? Inspect(Observation observation)
    {
        bool asked = observation.Model.Plan.Precision != Precision.Fp32;
        NumberFormat format = FormatOf(asked ? observation.Model.Plan.Precision : Precision.Fp16);
        int overflow = Largest(observation, format);
        List<(int Probe, double Share)> lost = [.. LostGradients(observation, format).Where(layer => layer.Share >= (asked ? Lost : MostlyLost))];
        bool enough = lost.Count > 0 && (asked || (2 * lost.Count >= observation.Layers.Count && observation.Loss > Learnt * observation.ReferenceLoss));
        return overflow >= 0 ? Overflow(observation, format, overflow, asked) : enough ? Underflow(observation, format, lost, asked) : null;
    }

    /// <summary>The format of a plan's word.</summary>
    public static NumberFormat FormatOf(Precision precision) => precision switch
    {
        Precision.Bf16 => NumberFormat.Bf16,
        Precision.Fp16 => NumberFormat.Fp16,
        Precision.Fp8E4m3 => NumberFormat.Fp8E4M3,
        Precision.Fp8E5m2 => NumberFormat.Fp8E5M2,
        _ => NumberFormat.Fp32,
    };

    /// <summary>The tensor with the largest magnitude of all that are beyond the format; −1 if none is.</summary>
    private static int Largest(Observation observation, NumberFormat format)
    {
        int largest = -1;
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            double magnitude = observation.Statistics[i].MaxAbs;
            if (observation.Probes[i].Kind != ProbeKind.ParameterUpdate && magnitude > format.Max && (largest < 0 || magnitude > observation.Statistics[largest].MaxAbs))
            {
                largest = i;
            }
        }
        return largest;
    }

    /// <summary>For each layer with weights the share of its weights' gradient that becomes 0.</summary>
    private static IEnumerable<(int Probe, double Share)> LostGradients(Observation observation, NumberFormat format)
    {
        foreach (LayerTrace layer in observation.Layers)
        {
            int probe = layer.WeightGradientProbe;
            if (probe >= 0)
            {
                yield return (probe, observation.Statistics[probe].FlushShare(format));
            }
        }
    }

    private Finding Overflow(Observation observation, NumberFormat format, int index, bool asked)
    {
        Probe probe = observation.Probes[index];
        double largest = observation.Statistics[index].MaxAbs;
        double share = observation.Statistics[index].OverflowShare(format);
        bool gradient = probe.Kind is ProbeKind.ActivationGradient or ProbeKind.ParameterGradient or ProbeKind.StateGradient;
        return Make(observation, asked, [probe.Layer.Name],
            ImmutableSortedDictionary<string, Evidence>.Empty.Add("largest", new Evidence(largest, format.Max)).Add("overflow_share", new Evidence(share, 0)),
            $"{probe} has magnitudes up to {Number(largest)}, where {format.Name} ends at {End(format)}: {(share > 0 ? $"{Percent(share)} of its values" : "they")} would be infinite there.",
            gradient ? "Clip the gradient, or leave the loss unscaled and use bf16, which reaches as far as float32."
                : $"For {format.Name}, normalise this layer or scale its input; bf16 reaches as far as float32.");
    }

    private Finding Underflow(Observation observation, NumberFormat format, List<(int Probe, double Share)> lost, bool asked)
    {
        (int worst, double share) = lost.MaxBy(layer => layer.Share);
        (int exponent, double after) = BestScale(observation, format, worst);
        string layers = lost.Count == 1 ? "one layer" : $"{lost.Count} of {observation.Layers.Count} layers";
        return Make(observation, asked, [.. lost.Select(layer => observation.Probes[layer.Probe].Layer.Name)],
            ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("lost_share", new Evidence(share, asked ? Lost : MostlyLost))
                .Add("loss_scale", new Evidence(Math.ScaleB(1, Math.Max(0, exponent)), 1)),
            $"{Percent(share)} of {observation.Probes[worst]} is below half of {format.Name}'s smallest number ({Number(format.MinSubnormal / 2)}) and would become 0 (limit {Percent(asked ? Lost : MostlyLost)}), in {layers}.",
            exponent > 0 && after < share / 2 ? $"For {format.Name}, scale the loss by 2^{exponent}: {Percent(after)} is lost then; bf16 needs no scaling."
                : $"Use bf16, which reaches as far as float32; no scale of the loss fits all gradients into {format.Name}.");
    }

    /// <summary>
    /// The largest power of two that keeps all gradients clear of the format's end, and the share of a tensor that is lost
    /// with it.
    /// </summary>
    private static (int Exponent, double Lost) BestScale(Observation observation, NumberFormat format, int worst)
    {
        double largest = 0;
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            if (observation.Probes[i].Kind is ProbeKind.ActivationGradient or ProbeKind.ParameterGradient)
            {
                largest = Math.Max(largest, observation.Statistics[i].MaxAbs);
            }
        }
        int exponent = largest > 0 ? Math.Max(0, Math.ILogB(format.Max / largest) - Margin) : 0;
        double smallest = Math.ScaleB(format.MinSubnormal, -1 - exponent);
        return (exponent, observation.Statistics[worst].ShareBelow(Math.Max(Math.ScaleB(1, -126), smallest)));
    }

    private static string End(NumberFormat format) => format.Max < 1e6 ? format.Max.ToString("0", CultureInfo.InvariantCulture) : Number(format.Max);

    private Finding Make(Observation observation, bool asked, ImmutableArray<string> layers, ImmutableSortedDictionary<string, Evidence> evidence, string explanation, string action) => new()
    {
        Rule = Id,
        Problem = Problem,
        Severity = asked ? Severity.Warning : Severity.Info,
        Cause = asked ? Causes.Numerical : Causes.None,
        Layers = layers,
        Step = observation.Step.Step,
        Confidence = 0.9,
        Evidence = evidence,
        Explanation = explanation,
        Action = action,
        Details = "This run computes in float32 and is not touched by it. Shares are counted by binary exponent over the values that are not 0; a smaller gradient that is scaled up before the backward pass and down before the optimizer keeps its bits (Micikevicius et al. 2018).",
    };
}
