using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A gate of an LSTM or GRU is nearly shut, or nearly open, for almost all units, steps and samples, and the loss does not fall: the
/// layer cannot take in, keep or show anything, and the gate's slope is too small for it to learn its way out.
/// </summary>
public sealed class StuckGate : Rule
{
    /// <summary>Share of the gate's values on one side.</summary>
    private const double Share = 0.9;

    /// <summary>log10 of a layer's weights over their initial norm at which steps have driven the gate there: twice, as in FTH003.</summary>
    private const double Grown = 0.3;

    public override string Id => "FTH042";

    public override string Problem => "gate stuck";

    public override string Threshold => "90 % of a gate's values over samples, time steps and units are below 0.05 or above 0.95, and the loss does not fall (healthy networks of the tuning half of bench/corpus stay below 60 %)";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Interior.Gates.Count == 0 || observation.LossFalls || !observation.LossStands)
        {
            return null;
        }
        (GateTrace Layer, GateActivity Gate, bool Open, string Effect)[] stuck =
        [
            .. from layer in observation.Interior.Gates
               from gate in layer.Gates
               let open = gate.Open >= Share
               where open || gate.Shut >= Share
               let effect = Effect(layer.Layer.Op, gate.Gate, open)
               where effect is not null
               select (layer, gate, open, effect),
        ];
        return stuck.Length == 0 ? null : Describe(observation, stuck);
    }

    /// <summary>What a gate does to its layer when it is stuck; null where that does no harm by itself.</summary>
    private static string? Effect(Graphs.Op cell, string gate, bool open) => (cell, gate, open) switch
    {
        (Lstm, "input", false) => "nothing new enters the cell",
        (Lstm, "forget", false) => "the cell forgets everything at each step",
        (Lstm, "forget", true) => "the cell adds up all it has ever seen",
        (Lstm, "output", false) => "nothing of the cell is shown",
        (Gru, "update", true) => "the state stays as it began",
        (Gru, "update", false) => "the state is replaced at each step, and nothing is kept",
        _ => null,
    };

    private Finding Describe(Observation observation, (GateTrace Layer, GateActivity Gate, bool Open, string Effect)[] stuck)
    {
        (GateTrace layer, GateActivity gate, bool open, string effect) = stuck.MaxBy(item => Math.Max(item.Gate.Shut, item.Gate.Open));
        (double share, double first) = open ? (gate.Open, gate.FirstOpen) : (gate.Shut, gate.FirstShut);
        bool fromStart = first >= Share;
        double growth = observation.Layers.FirstOrDefault(other => other.Layer == layer.Layer)?.LogGrowth ?? double.NaN;
        string side = open ? "open" : "shut";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = fromStart ? Causes.BadInitialization : growth > Grown ? Causes.LearningRateTooLarge : Causes.Saturation,
            Layers = [.. stuck.Select(item => item.Layer.Layer.Name).Distinct()],
            Step = observation.Step.Step,
            Confidence = Math.Round(0.75 + 0.2 * (share - Share) / (1 - Share), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("gate_share", new Evidence(share, Share))
                .Add("gate_share_at_start", new Evidence(first, double.NaN))
                .Add("stuck_gates", new Evidence(stuck.Length, 0)),
            Explanation = $"The {gate.Gate} gate of {layer.Layer.Name} is {side} ({(open ? "above 0.95" : "below 0.05")}) for {Percent(share)} of its values, where {Percent(Share)} is the limit: {effect}, and the loss stands.",
            Action = fromStart ? $"Start the {gate.Gate} gate's bias {(open ? "lower" : "higher")}, near {(gate.Gate == "forget" ? "1" : "0")}." : "Lower the learning rate, and bound the gradient's norm.",
            Details = $"There σ' is below a fifth of its maximum, so that the gate hardly learns its way out. At the first look {Percent(first)} of its values were {side}. Stuck: {string.Join(", ", stuck.Select(item => $"{item.Gate.Gate} gate of {item.Layer.Layer.Name} {(item.Open ? "open" : "shut")}"))}.",
            RuledOut = fromStart ? [$"training: the gate was {side} from the start"] : [$"initialisation: at the start only {Percent(first)} of the gate's values were {side}"],
            Remedies = fromStart ? ["forget_gate", "bias", "initialization"] : ["learning_rate", "clip_norm", "initialization"],
        };
    }
}
