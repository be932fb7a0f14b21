using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Half or more of a ReLU layer's units give 0 for every sample: no gradient reaches their weights, and they never come
/// back. Units are counted over up to 512 training samples; a layer's share of zeros decides cheaply whether to count.
/// </summary>
public sealed class DeadRelu : Rule
{
    /// <summary>Share of dead units; SageMaker Debugger's layer threshold.</summary>
    private const double Share = 0.5;

    /// <summary>Share of dead units at which a single layer passes on hardly anything.</summary>
    private const double Nearly = 0.9;

    public override string Id => "FTH004";

    public override string Problem => "dead ReLU units";

    /// <summary>Trend of a loss that is on its way down, as in FTH032.</summary>
    internal const double Falling = 0.8;

    public override string Threshold => "half of a layer's units give 0 for each of 512 samples (SageMaker Debugger: more than 50 % of a layer)";

    public override Finding? Inspect(Observation observation)
    {
        bool zeros = observation.Layers.Any(layer => layer.Activation?.Op is Relu or Relu6 && layer.Zeros > Share);
        bool maxout = observation.LossStands && observation.HasMaxout;
        if (!zeros && !maxout)
        {
            return null;
        }
        IReadOnlyList<UnitActivity> units = observation.Units();
        UnitActivity[] dead = [.. units.Where(layer => layer.Layer.Op is Relu or Relu6 && layer.Dead >= Share * layer.Units)];
        if (dead.Length == 0)
        {
            UnitActivity[] linear = maxout ? [.. units.Where(layer => layer.Layer.Op is Maxout && layer.Dead >= Share * layer.Units)] : [];
            return linear.Length == 0 ? null : DescribeLinear(observation, linear);
        }
        int wall = Array.FindIndex(dead, layer => layer.Dead == layer.Units && !Detour.LeadsAround(observation.Network, layer.Layer));
        bool blocks = Blocks(dead, observation);
        int all = dead.Length;
        dead = wall < 0 ? dead : [.. dead.Where((layer, i) => i <= wall || IsSunken(observation, layer))];
        int behind = all - dead.Length;
        UnitActivity worst = wall >= 0 ? dead[wall] : dead.MaxBy(layer => (double)layer.Dead / layer.Units)!;
        double share = (double)worst.Dead / worst.Units;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            // Units that something leads around, or that are not all of a layer, do not stop a loss that is on its way down.
            Severity = observation.LossFallsFor(this) || !blocks || wall < 0 && observation.Losses.Trend < Falling ? Severity.Warning : Severity.Error,
            IsFinal = wall >= 0, // no gradient gets past it, now or later
            Cause = Causes.DeadRelu,
            Layers = [.. dead.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(0.6 + 0.35 * (share - Share) / (1 - Share), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("dead_share", new Evidence(share, 0))
                .Add("samples", new Evidence(worst.Samples, double.NaN))
                .Add("dead_layers", new Evidence(dead.Length, 0)),
            Explanation = $"{worst.Dead} of {worst.Units} units of {worst.Layer.Name} give 0 for each of {worst.Samples} samples, where half of a layer is the limit (SageMaker Debugger); {(behind > 0 ? $"{(behind == 1 ? "the layer behind it gets" : $"the {behind} layers behind it get")} nothing but zeros" : $"{Count(dead.Length, "layer is", "layers are")} beyond it")}.",
            Action = "Use a leaky activation, a smaller learning rate, or He initialisation with zero biases.",
            Details = "A ReLU that gives 0 passes no gradient on: a unit that gives 0 for every sample gets none, and stays dead.",
            Remedies = ["activation", "initialization", "bias", "batch_norm", "learning_rate", "maxout"],
        };
    }

    /// <summary>Half or more of the layer's biases are below 0, so that a constant input of 0 does not account for it.</summary>
    private static bool IsSunken(Observation observation, UnitActivity dead)
    {
        ReadOnlySpan<float> biases = observation.Layers.FirstOrDefault(layer => layer.Activation == dead.Layer) is { } own ? observation.BiasesOf(own) : [];
        int below = 0;
        foreach (float bias in biases)
        {
            below += bias < 0 ? 1 : 0;
        }
        return below > 0 && below >= Share * biases.Length;
    }

    /// <summary>Maxout units of which one piece wins for every sample: the pieces that never win get no gradient.</summary>
    private Finding DescribeLinear(Observation observation, UnitActivity[] linear)
    {
        UnitActivity worst = linear.MaxBy(layer => (double)layer.Dead / layer.Units)!;
        double share = (double)worst.Dead / worst.Units;
        return new Finding
        {
            Rule = Id,
            Problem = "maxout units that are linear",
            Severity = Severity.Warning,
            Cause = Causes.DeadRelu,
            Layers = [.. linear.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.6,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("linear_share", new Evidence(share, Share))
                .Add("samples", new Evidence(worst.Samples, double.NaN)),
            Explanation = $"In {worst.Dead} of {worst.Units} units of {worst.Layer.Name} the same piece wins for each of {worst.Samples} samples, where half of a layer is the limit, and the loss stands.",
            Action = "Start all biases at 0 and weights at one size, or lower the learning rate.",
            Details = "Such a unit is linear, and its other pieces get no gradient: they can never win again unless what comes in changes.",
            Remedies = ["initialization", "batch_norm", "learning_rate"],
        };
    }

    /// <summary>The loss stands, or hardly anything gets through: a layer that nothing leads around is nearly dead, or half of the layers are.</summary>
    private static bool Blocks(UnitActivity[] dead, Observation observation) =>
        observation.LossStands || dead.Length * 2 >= observation.Layers.Count(layer => layer.Activation?.Op is Relu)
        || dead.Any(layer => layer.Dead >= Nearly * layer.Units && !Detour.LeadsAround(observation.Network, layer.Layer));
}
