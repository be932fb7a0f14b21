using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// All units of a hidden layer have the same weights, and so the same output and the same gradient: they stay equal for
/// ever, and the layer works as one unit. Weights that are all 0 are a case of it. Goodfellow, Bengio and Courville 2016,
/// section 8.4: initial weights must break symmetry between units.
/// </summary>
public sealed class SymmetricUnits : Rule
{
    /// <summary>Largest difference of two units' weights, relative to the largest weight, at which they count as equal.</summary>
    private const float Tolerance = 1e-5f;

    /// <summary>Of a network that learns something all the same: share of the run, loss since half of the steps so far, and unlearnt share from which on it has stopped short.</summary>
    private const double Late = 0.4, Flat = 0.8, Unlearnt = 0.25;

    /// <summary>Share of the run from which on symmetry counts, and where a path leads around all such layers: by then a residual network has learnt if it does without them.</summary>
    private const double Start = 0.01, StartBeside = 0.05;

    public override string Id => "FTH030";

    public override string Problem => "symmetric units";

    public override string Threshold => "all units of a hidden layer have weights that agree to 1e-5 of the largest, after 1 % of the run, or 5 % where a path leads around all of them, while the loss has not halved, or after 40 % while more than 25 % of a constant prediction's is left and hardly falls; or they began so under such a layer, and the network stalls (the least that symmetry breaking must undo; Goodfellow et al. 2016, section 8.4)";

    public override Finding? Inspect(Observation observation)
    {
        bool stopped = observation.Progress >= Late && observation.Losses.Since(0.5) > Flat && observation.Unlearnt(observation.Losses.Now) > Unlearnt;
        if (observation.Progress < Start || (observation.LossFalls && !stopped))
        {
            return null;
        }
        LayerTrace[] equal = [.. observation.Layers.Where(layer => IsHidden(layer, observation) && Difference(observation, layer) <= Tolerance)];
        bool blocks = equal.Any(layer => !Detour.LeadsAround(observation.Network, layer.Layer));
        if (equal.Length == 0 || (!blocks && observation.Progress < StartBeside))
        {
            return observation.Stalls ? DescribeStart(observation) : null;
        }
        bool zero = equal.All(layer => layer.WeightNorm == 0);
        double difference = equal.Max(layer => Difference(observation, layer));
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            IsFinal = blocks && difference == 0, // units that have stayed exactly equal so far get equal gradients from any batch
            Cause = Causes.BadInitialization,
            Layers = [.. equal.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.97,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("symmetric_layers", new Evidence(equal.Length, 0))
                .Add("largest_difference", new Evidence(difference, 1))
                .Add("loss_over_first", new Evidence(observation.Loss / observation.FirstLoss, double.NaN)),
            Explanation = $"All units of {Span(equal)} have {(zero ? "weights of 0" : "the same weights")}: they differ by {Number(difference)} of the largest (limit {Number(Tolerance)}), where weights drawn at random differ by about 1.",
            Action = "Draw the weights at random (He for ReLU, Xavier for tanh and sigmoid); only biases may start at 0.",
            Details = "Equal weights get equal gradients, so that the units never come to differ, and the layer works as a single one.",
            RuledOut = [$"learning rate: at any rate equal units move alike, and after {observation.Step.Step + 1} steps they still differ by no more than {Number(difference)}"],
            Remedies = ["initialization"],
        };
    }

    /// <summary>
    /// Units that began equal under a layer that did so too, and have come apart by rounding alone, at a gradient that had to grow for it: they are what the
    /// start has left. Where the layer above is drawn at random its units differ from the first step on.
    /// </summary>
    private Finding? DescribeStart(Observation observation)
    {
        LayerTrace[] hidden = [.. observation.Layers.Where(layer => IsHidden(layer, observation))];
        LayerTrace[] began = [.. hidden.Where((layer, i) => i + 1 < hidden.Length && BeganEqual(layer) && BeganEqual(hidden[i + 1]))];
        if (began.Length == 0)
        {
            return null;
        }
        double share = began.Length / (double)hidden.Length;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.BadInitialization,
            Layers = [.. began.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.8,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("began_equal_share", new Evidence(share, 0))
                .Add("loss_over_first", new Evidence(observation.Loss / observation.FirstLoss, double.NaN)),
            Explanation = $"All units of {Span(began)} began with the same weights (limit {Number(Tolerance)} of the largest apart), came apart by rounding alone, and the loss ({Number(observation.Loss)}) stands at {Percent(observation.Unlearnt(observation.Losses.Now))} of a constant prediction's.",
            Action = "Draw the weights at random (He for ReLU, Xavier for tanh and sigmoid); only biases may start at 0.",
            Details = "Units that rounding has told apart still do nearly the same.",
            RuledOut = [],
            Remedies = ["initialization"],
        };
    }

    private static bool BeganEqual(LayerTrace layer) =>
        layer.Layer.Parameters.FirstOrDefault(parameter => parameter.Outputs[0].Shape.Rank >= 2)?.Op is Parameter { Initializer: ConstantInitializer };

    /// <summary>A weighted layer whose output another layer reads; a last layer at 0 is sound.</summary>
    private static bool IsHidden(LayerTrace layer, Observation observation) => layer.Layer.Op is Dense or ConvolutionOp && layer != observation.Layers[^1];

    /// <summary>Largest difference of a weight from the first unit's, relative to the largest weight; 0 if all are 0. Infinity beyond <see cref="Tolerance"/>, where it is not looked for any further.</summary>
    private static float Difference(Observation observation, LayerTrace layer)
    {
        ReadOnlySpan<float> weights = observation.WeightsOf(layer);
        int units = layer.Layer.Parameters.First(parameter => parameter.Outputs[0].Shape.Rank >= 2).Outputs[0].Shape[0].Size;
        if (units < 2 || weights.Length % units != 0)
        {
            return float.PositiveInfinity;
        }
        int row = weights.Length / units;
        float largest = 0, difference = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(weights[i]));
            difference = Math.Max(difference, Math.Abs(weights[i] - weights[i % row]));
            if (difference > Tolerance * largest && i >= row)
            {
                return float.PositiveInfinity;
            }
        }
        return largest == 0 ? 0 : difference / largest;
    }
}
