using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Attention logits grow out of proportion, which comes before entropy collapse and divergence (Dehghani et al. 2023, section 2.2;
/// Wortsman et al. 2023, Small-scale proxies for large-scale transformer training instabilities).
/// </summary>
public sealed class AttentionLogitGrowth : Rule
{
    /// <summary>Largest |logit|. Healthy transformers of the tuning half stay below 36; runs that diverge reach 10⁴ (Wortsman et al. 2023).</summary>
    private const double Large = 100;

    /// <summary>Growth since the first look that is no accident of the draw.</summary>
    private const double Growth = 5;

    public override string Id => "FTH045";

    public override string Problem => "attention logits grow";

    public override string Threshold => "the largest attention logit |q·k/√d| is above 100 at two looks, and 5 times what it was at the first, or was above 100 from the start; an error if the loss stands too (healthy transformers of the tuning half of bench/corpus stay below 36; Wortsman et al. 2023 see divergence from 10⁴ on)";

    public override Finding? Inspect(Observation observation)
    {
        AttentionTrace[] large = [.. observation.Interior.Attention.Where(node => node.Looks.Count > 1 && node.Looks[^1].LargestLogit > Large && node.Looks[^2].LargestLogit > Large && (node.Looks[0].LargestLogit > Large || node.Looks[^1].LargestLogit > Growth * node.Looks[0].LargestLogit))];
        if (large.Length == 0)
        {
            return null;
        }
        AttentionTrace worst = large.MaxBy(node => node.Looks[^1].LargestLogit)!;
        AttentionLook first = worst.Looks[0], now = worst.Looks[^1];
        bool fromStart = first.LargestLogit > Large && !(observation.LogGrowthOf(worst.Layer) > LayerTrace.Blown); // the first look comes after the first step
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = observation.Stalls ? Severity.Error : Severity.Warning,
            Cause = fromStart ? Causes.BadInitialization : Causes.LearningRateTooLarge,
            Layers = [.. large.Select(node => node.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.9, 0.7 + 0.1 * Math.Log10(now.LargestLogit / Large)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("largest_logit", new Evidence(now.LargestLogit, Large))
                .Add("largest_logit_at_start", new Evidence(first.LargestLogit, double.NaN))
                .Add("relative_entropy", new Evidence(now.Entropy, 1)),
            Explanation = $"Attention logits of {worst.Layer.Name} reach {Number(now.LargestLogit)}, where {Large} is the limit and {Number(first.LargestLogit)} was the start; rows keep {Percent(now.Entropy)} of a uniform row's entropy.",
            Action = fromStart ? "Draw smaller query and key weights, or normalise queries and keys (qk_norm)." : "Normalise queries and keys (qk_norm), or lower the learning rate.",
            Details = "A softmax sees differences: from about 20 on one place has all the weight, and queries and keys get no gradient that could bring their weights down again.",
            RuledOut = fromStart ? [] : [$"initialisation: the largest logit was {Number(first.LargestLogit)} at the start"],
            Remedies = fromStart ? ["initialization"] : ["warmup", "learning_rate", "clip_norm"],
        };
    }
}
