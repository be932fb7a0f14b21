using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>Which remedies come into question, and in which order theory would try them.</summary>
internal sealed class Candidates(ModelDefinition model, DataSet data, IReadOnlyList<Finding> findings)
{
    /// <summary>Functions before structure before weights before the training plan: each may depend on the ones before it.</summary>
    private static readonly string[] Order = ["activation", "batch_norm", "residual", "initialization", "orthogonal", "optimizer", "learning_rate", "clip_norm"];

    private readonly double sickDecades = Decades(model, data);

    /// <summary>Each remedy alone, the best prediction first. One that makes it worse is left out.</summary>
    public List<Trial> Singles() => Ranked(RemedyCatalog.All.Where(Indicated)
        .SelectMany(remedy => remedy.Propose(model, findings))
        .Select(prescription => ImmutableArray.Create(prescription)));

    /// <summary>Two remedies of different kinds, one of which did well alone.</summary>
    public List<Trial> Pairs(IEnumerable<Trial> best, int most)
    {
        Dictionary<string, ImmutableArray<Prescription>> pairs = [];
        foreach (Trial trial in best)
        {
            Prescription first = trial.Remedies[0];
            ModelDefinition partly = first.Rewrite(model);
            foreach (Remedy remedy in RemedyCatalog.All.Where(remedy => remedy.Kind != first.Remedy.Kind && (Indicated(remedy) || remedy.Safety == Safety.Reinitializes)))
            {
                foreach (Prescription second in remedy.Propose(partly, findings))
                {
                    ImmutableArray<Prescription> pair = [.. new[] { first, second }.OrderBy(item => Array.IndexOf(Order, item.Remedy.Kind))];
                    pairs.TryAdd(string.Join("|", pair), pair);
                }
            }
        }
        return [.. Ranked(pairs.Values).Take(most)];
    }

    public ModelDefinition Apply(ImmutableArray<Prescription> remedies) => remedies.Aggregate(model, (mended, remedy) => remedy.Rewrite(mended));

    private bool Indicated(Remedy remedy) =>
        findings.Any(finding => finding.Remedies.Contains(remedy.Kind) || (remedy.Kind == "orthogonal" && finding.Remedies.Contains("initialization")));

    private List<Trial> Ranked(IEnumerable<ImmutableArray<Prescription>> sets)
    {
        List<Trial> trials = [];
        foreach (ImmutableArray<Prescription> set in sets)
        {
            double decades = Decades(Apply(set), data);
            bool onlyPlan = set.All(item => item.Remedy.Safety == Safety.TrainingPlan);
            // A rewrite of the network that leaves the gradient no flatter than it was is not worth a run.
            if (onlyPlan || double.IsNaN(decades) || Math.Abs(decades) <= Math.Abs(sickDecades) + 0.1)
            {
                trials.Add(new Trial { Remedies = set, PredictedDecades = decades });
            }
        }
        return [.. trials.OrderBy(trial => double.IsNaN(trial.PredictedDecades) ? double.MaxValue : Math.Round(Math.Abs(trial.PredictedDecades), 1)).ThenBy(trial => trial.Invasiveness)];
    }

    private static double Decades(ModelDefinition model, DataSet data)
    {
        try
        {
            return WatchedRun.Predict(model, data).Depth.TotalDecades;
        }
        catch (GraphException)
        {
            return double.NaN;
        }
    }
}
