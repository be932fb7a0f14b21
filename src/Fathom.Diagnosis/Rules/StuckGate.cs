using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A gate of an LSTM or GRU is nearly shut, or nearly open, or one or the other, for almost all units, steps and samples, and the loss
/// does not fall: the layer cannot take in, keep or show what it should, and the gate's slope is too small for it to learn its way out.
/// </summary>
public sealed class StuckGate : Rule
{
    /// <summary>Share of the gate's values on one side.</summary>
    private const double Share = 0.9;

    /// <summary>log10 of a layer's weights over their initial norm at which steps have driven the gate there: twice, as in FTH003.</summary>
    private const double Grown = 0.3;

    public override string Id => "FTH042";

    public override string Problem => "gate stuck";

    public override string Threshold => "90 % of a gate's values over samples, time steps and units are below 0.05, or above 0.95, or one of both, and the loss does not fall (in healthy networks of the tuning half of bench/corpus no more than 60 % are on one side, and 70 % on both)";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Interior.Gates.Count == 0 || observation.LossFalls || !observation.LossStands)
        {
            return null;
        }
        Stuck[] stuck = [.. observation.Interior.Gates.SelectMany(layer => layer.Gates.Select(gate => Stuck.Of(layer, gate))).OfType<Stuck>()];
        return stuck.Length == 0 ? null : Describe(observation, stuck);
    }

    /// <summary>A gate that is stuck.</summary>
    /// <param name="Layer">Its layer.</param>
    /// <param name="Gate">Its name.</param>
    /// <param name="Side">Such as <c>shut</c>.</param>
    /// <param name="Values">What its values are.</param>
    /// <param name="Now">Share of such values.</param>
    /// <param name="First">The same at the first look.</param>
    /// <param name="Effect">What it does to the layer.</param>
    private sealed record Stuck(GateTrace Layer, string Gate, string Side, string Values, double Now, double First, string Effect)
    {
        /// <summary>Null for a gate that moves, or that does no harm where it stands.</summary>
        public static Stuck? Of(GateTrace layer, GateActivity gate)
        {
            bool open = gate.Open >= Share, shut = gate.Shut >= Share;
            string? effect = (layer.Layer.Op, gate.Gate) switch
            {
                (Lstm, "input") when shut => "nothing new enters the cell",
                (Lstm, "forget") when shut => "the cell forgets everything at each step",
                (Lstm, "forget") when open => "the cell adds up all it has ever seen",
                (Lstm, "output") when shut => "nothing of the cell is shown",
                (Gru, "update") when open => "the state stays as it began",
                (Gru, "update") when shut => "the state is replaced at each step, and nothing is kept",
                _ when !open && !shut && gate.Open + gate.Shut >= Share => "it only switches, and passes no gradient on",
                _ => null,
            };
            return effect is null ? null : new Stuck(layer, gate.Gate, open ? "open" : shut ? "shut" : "open or shut", open ? "above 0.95" : shut ? "below 0.05" : "below 0.05 or above 0.95",
                open ? gate.Open : shut ? gate.Shut : gate.Open + gate.Shut, open ? gate.FirstOpen : shut ? gate.FirstShut : gate.FirstOpen + gate.FirstShut, effect);
        }
    }

    private Finding Describe(Observation observation, Stuck[] stuck)
    {
        Stuck worst = stuck.MaxBy(gate => gate.Now)!;
        double growth = observation.LogGrowthOf(worst.Layer.Layer);
        bool fromStart = worst.First >= Share && !(growth > Grown); // the first look comes after the first step
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = fromStart ? Causes.BadInitialization : growth > Grown ? Causes.LearningRateTooLarge : Causes.Saturation,
            Layers = [.. stuck.Select(gate => gate.Layer.Layer.Name).Distinct()],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.95, 0.75 + 0.2 * (worst.Now - Share) / (1 - Share)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("gate_share", new Evidence(worst.Now, Share))
                .Add("gate_share_at_start", new Evidence(worst.First, double.NaN))
                .Add("stuck_gates", new Evidence(stuck.Length, 0)),
            Explanation = $"The {worst.Gate} gate of {worst.Layer.Layer.Name} is {worst.Side} ({worst.Values}) for {Percent(worst.Now)} of its values, where {Percent(Share)} is the limit: {worst.Effect}, and the loss stands.",
            Action = fromStart ? $"Start the {worst.Gate} gate's bias {(worst.Side == "open" ? "lower" : "higher")}, near {(worst.Gate == "forget" ? "1" : "0")}, with weights of Xavier's size." : "Lower the learning rate, and bound the gradient's norm.",
            Details = $"There σ' is below a fifth of its maximum, so that the gate hardly learns its way out. At the first look {Percent(worst.First)} of its values were {worst.Side}. Stuck: {string.Join(", ", stuck.Select(gate => $"{gate.Gate} gate of {gate.Layer.Layer.Name} {gate.Side}"))}.",
            RuledOut = fromStart ? [$"training: at the first look {Percent(worst.First)} of the gate's values were {worst.Side} already"] : [$"initialisation: at the start only {Percent(worst.First)} of the gate's values were {worst.Side}"],
            Remedies = fromStart ? ["forget_gate", "bias", "initialization"] : ["learning_rate", "clip_norm", "initialization"],
        };
    }
}
