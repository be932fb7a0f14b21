using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// All tokens of a sequence have become the same on their way through attention layers: rank collapse (Dong et al. 2021, Attention is
/// not all you need), after which queries and keys get no gradient (Noci et al. 2022). Skip connections prevent it.
/// </summary>
public sealed class TokenCollapse : Rule
{
    /// <summary>‖X − 1x̄ᵀ‖/‖X‖; FTH007's 1 − c of 1e-6, which is its square. Healthy transformers of the tuning half stay above 0.017.</summary>
    private const double Collapsed = 1e-3;

    /// <summary>The same at the first attention, above which tokens differ to begin with.</summary>
    private const double Different = 0.03;

    public override string Id => "FTH046";

    public override string Problem => "tokens have become the same";

    public override string Threshold => "‖X − 1x̄ᵀ‖/‖X‖ of the tokens is below 1e-3 at an attention's input, where it is above 0.03 at the first; an error if the loss stands too (Dong et al. 2021; healthy transformers of the tuning half of bench/corpus stay above 0.017)";

    public override Finding? Inspect(Observation observation)
    {
        IReadOnlyList<AttentionTrace> nodes = observation.Interior.Attention;
        if (nodes.Count < 2 || nodes.Any(node => node.Looks.Count == 0) || nodes[0].Looks[^1].InputDifference < Different)
        {
            return null;
        }
        AttentionTrace[] same = [.. nodes.Where(node => node.Looks[^1].InputDifference < Collapsed)];
        if (same.Length == 0)
        {
            return null;
        }
        // What was the same from the start is the network's doing; what has become so, its training's.
        bool fromTheStart = same.All(node => node.Looks[0].InputDifference < Collapsed);
        double first = nodes[0].Looks[^1].InputDifference, now = same.Min(node => node.Looks[^1].InputDifference);
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = observation.LossStands ? Severity.Error : Severity.Warning,
            Cause = fromTheStart ? Causes.Vanishing : Causes.LearningRateTooLarge,
            Layers = [.. same.Select(node => node.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.9,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("token_difference", new Evidence(now, Collapsed))
                .Add("token_difference_at_first_attention", new Evidence(first, double.NaN)),
            Explanation = $"From {same[0].Layer.Name} on the tokens of a sequence differ by {Number(now)} of their norm, where {Number(Collapsed)} is the limit and {Number(first)} is what {nodes[0].Layer.Name} is fed.",
            Action = fromTheStart
                ? "Put a skip connection around each attention, or use fewer attention layers."
                : $"Lower the learning rate ({Number(observation.Step.LearningRate)}) by a factor of 10, or warm it up; the tokens differed at the start.",
            Details = "Attention averages tokens, and without a skip connection each layer makes them more alike, doubly exponentially with depth. Tokens that are all the same give uniform attention whatever queries and keys are, so these get no gradient.",
            RuledOut = [$"data: the tokens differ by {Number(first)} of their norm at {nodes[0].Layer.Name}"],
            Remedies = fromTheStart ? ["residual", "initialization"] : ["learning_rate", "warmup", "clip_norm"],
        };
    }
}
