using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// An attention sees one single place in almost every row: its weights are 0 and 1, the softmax passes no gradient on to queries and
/// keys, and training becomes unstable (Zhai et al. 2023, Stabilizing transformer training by preventing attention entropy collapse).
/// </summary>
public sealed class AttentionEntropyCollapse : Rule
{
    /// <summary>Mean entropy over ln of the places seen. Healthy transformers of the tuning half stay above 0.13, sick ones reach 0.00.</summary>
    private const double Collapsed = 0.02;

    /// <summary>The same at the first look, below which it was so from the start.</summary>
    private const double FromStart = 0.1;

    public override string Id => "FTH044";

    public override string Problem => "attention entropy has collapsed";

    public override string Threshold => "the mean entropy of an attention's rows is below 2 % of that of uniform rows at two looks; an error if the loss stands too (Zhai et al. 2023; healthy transformers of the tuning half of bench/corpus stay above 13 %)";

    public override Finding? Inspect(Observation observation)
    {
        AttentionTrace[] collapsed = [.. observation.Interior.Attention.Where(node => node.Looks.Count > 1 && node.Looks[^1].Entropy < Collapsed && node.Looks[^2].Entropy < Collapsed)];
        if (collapsed.Length == 0)
        {
            return null;
        }
        AttentionTrace worst = collapsed.MinBy(node => node.Looks[^1].Entropy)!;
        AttentionLook first = worst.Looks[0], now = worst.Looks[^1];
        bool fromStart = first.Entropy < FromStart && !(observation.LogGrowthOf(worst.Layer) > LayerTrace.Blown); // the first look comes after the first step
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = observation.Stalls ? Severity.Error : Severity.Warning,
            Cause = fromStart ? Causes.BadInitialization : Causes.LearningRateTooLarge,
            Layers = [.. collapsed.Select(node => node.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.85,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("relative_entropy", new Evidence(now.Entropy, Collapsed))
                .Add("relative_entropy_at_start", new Evidence(first.Entropy, 1))
                .Add("largest_logit", new Evidence(now.LargestLogit, first.LargestLogit)),
            Explanation = $"The rows of attention of {worst.Layer.Name} have {Percent(now.Entropy)} of a uniform row's entropy, where 2 % is the limit and {Percent(first.Entropy)} was the start: each sees one single place.",
            Action = fromStart ? "Draw smaller query and key weights, or normalise queries and keys (qk_norm)." : "Lower the learning rate or warm it up, and normalise queries and keys (qk_norm).",
            Details = $"Logits reach {Number(now.LargestLogit)} ({Number(first.LargestLogit)} at the start), and a softmax that is 0 or 1 passes no gradient on to queries and keys. What bounds the logits prevents it: normalised queries and keys, or weights of bounded spectral norm.",
            RuledOut = fromStart ? [] : [$"initialisation: at the start the rows had {Percent(first.Entropy)} of a uniform row's entropy"],
            Remedies = fromStart ? ["initialization"] : ["warmup", "learning_rate", "clip_norm"],
        };
    }
}
