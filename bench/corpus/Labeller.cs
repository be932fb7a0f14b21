using System.Collections.Immutable;
using Fathom.Compute;

namespace Fathom.Corpus;

/// <summary>Trains networks to see what becomes of them, and finds for the sick ones which single change heals.</summary>
internal sealed class Labeller(References references, CancellationToken cancellation)
{
    /// <summary>A healthy network comes this close to the best of its size.</summary>
    public const double Near = 0.05;

    /// <summary>A sick network falls short of it by this much or more.</summary>
    public const double Far = 0.15;

    /// <summary>The best must be this much above what needs no network at all.</summary>
    public const double Learnt = 0.25;

    public static readonly ImmutableArray<ulong> Seeds = [101, 202, 303];

    public Label Label(CorpusCase network)
    {
        using WorkerPool pool = new(1);
        ImmutableArray<double> scores = [.. Seeds.Select(seed => Trial.Score(network.Recipe, seed, pool, cancellation))];
        double best = Math.Max(references.Best(network.Recipe, cancellation), Median(scores));
        Outcome outcome = Judge(network.Recipe.Task, scores, best);
        ImmutableArray<string> healed = outcome == Outcome.Sick ? Heal(network.Recipe, best, pool) : [];
        return new Label(network.Number, Corpus.Label.Fingerprint(network.Recipe), outcome, best, scores, healed);
    }

    /// <summary>By the outcome alone, over all seeds.</summary>
    public static Outcome Judge(LearningTask task, ImmutableArray<double> scores, double best) =>
        best < Trial.Baseline(task) + Learnt ? Outcome.Hard
        : scores.All(score => score >= best - 2 * Near) && Median(scores) >= best - Near ? Outcome.Healthy
        : scores.All(score => score <= best - Far) ? Outcome.Sick
        : Outcome.Borderline;

    private ImmutableArray<string> Heal(Recipe recipe, double best, WorkerPool pool)
    {
        ImmutableArray<string>.Builder healed = ImmutableArray.CreateBuilder<string>();
        foreach (Counterfactual change in Counterfactual.All)
        {
            if (change.Apply(recipe) is { } changed && Heals(Trial.Score(changed, Seeds[0], pool, cancellation), best))
            {
                healed.Add(change.Name);
            }
        }
        return healed.ToImmutable();
    }

    /// <summary>Whether a score after a change is that of a network that is no longer sick.</summary>
    public static bool Heals(double score, double best) => score >= best - 2 * Near;

    public static double Median(ImmutableArray<double> scores) => scores.Order().ElementAt(scores.Length / 2);
}
