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

    /// <summary>Decades over the whole depth within which a gradient counts as flat.</summary>
    private const double Flat = 1;

    private readonly double sickDecades = Decades(model, data);

    /// <summary>Each remedy alone, the best prediction first. One that makes it worse is left out.</summary>
    public List<Trial> Singles() => Ranked(RemedyCatalog.All.Where(Indicated)
        .SelectMany(remedy => remedy.Propose(model, findings))
        .Select(prescription => ImmutableArray.Create(prescription)));

    /// <summary>
    /// Two remedies of different kinds. First come those that need each other by theory (ReLU with Xavier weights still
    /// vanishes, with He weights it does not), then those whose parts did well alone. No remedy takes more than a quarter
    /// of the places, so that the trials stay diverse.
    /// </summary>
    public List<Trial> Pairs(IReadOnlyList<Trial> singles, int most)
    {
        Dictionary<string, ImmutableArray<Prescription>> pairs = [];
        foreach (Prescription first in singles.Select(trial => trial.Remedies[0]))
        {
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
        Dictionary<string, double> alone = singles.ToDictionary(trial => trial.Name, trial => double.IsFinite(trial.Metric) ? trial.Metric : double.MinValue);
        Dictionary<string, double> decades = singles.ToDictionary(trial => trial.Name, trial => Math.Abs(trial.PredictedDecades));
        IEnumerable<Trial> ranked = Ranked(pairs.Values)
            .OrderByDescending(trial => Math.Abs(trial.PredictedDecades) < Flat)
            .ThenByDescending(trial => trial.Remedies.All(remedy => !(decades.GetValueOrDefault(remedy.Name, double.NaN) < Flat)))
            .ThenByDescending(trial => trial.Remedies.Max(remedy => alone.GetValueOrDefault(remedy.Name, double.MinValue)));
        return Diverse(ranked, most);
    }

    private static List<Trial> Diverse(IEnumerable<Trial> ranked, int most)
    {
        List<Trial> chosen = [];
        List<Trial> passed = [];
        Dictionary<string, int> places = [];
        foreach (Trial trial in ranked)
        {
            bool crowded = trial.Remedies.Any(remedy => remedy.Remedy.Safety > Safety.Reinitializes && places.GetValueOrDefault(remedy.Name) >= Math.Max(1, most / 4));
            if (crowded || chosen.Count >= most)
            {
                passed.Add(trial);
                continue;
            }
            chosen.Add(trial);
            foreach (Prescription remedy in trial.Remedies)
            {
                places[remedy.Name] = places.GetValueOrDefault(remedy.Name) + 1;
            }
        }
        chosen.AddRange(passed.Take(most - chosen.Count));
        return chosen;
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
