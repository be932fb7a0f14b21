using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>Which remedies come into question, and in which order theory would try them.</summary>
internal sealed class Candidates(ModelDefinition model, DataSet data, IReadOnlyList<Finding> findings)
{
    /// <summary>Decades over the whole depth within which a gradient counts as flat.</summary>
    private const double Flat = 1;

    private readonly double sickDecades = Math.Abs(Decades(model, data));

    /// <summary>Remedies that could not be applied to this network, with the reason as their fate.</summary>
    public List<Trial> Impossible { get; } = [];

    /// <summary>Each remedy alone, the best prediction first. One that makes it worse is left out.</summary>
    public List<Trial> Singles() => Ranked(Indicated.SelectMany(remedy => remedy.Propose(model, findings)).Select(prescription => ImmutableArray.Create(prescription)));

    /// <summary>
    /// Two remedies of different kinds, the second proposed for what the first has made of the network. First come those
    /// that need each other by theory (ReLU with Xavier weights still vanishes, with He weights it does not), then those
    /// whose parts did well alone. No remedy takes more than a quarter of the places, so that the trials stay diverse.
    /// </summary>
    public List<Trial> Pairs(IReadOnlyList<Trial> singles, int most)
    {
        List<ImmutableArray<Prescription>> pairs = [];
        // The catalog's order is the order of application: functions, structure, weights, training plan.
        for (int i = 0; i < RemedyCatalog.All.Count; i++)
        {
            foreach (Prescription first in RemedyCatalog.All[i].Propose(model, findings).Where(_ => Wanted(RemedyCatalog.All[i])))
            {
                if (TryApply([first]) is { } partly)
                {
                    pairs.AddRange(RemedyCatalog.All.Skip(i + 1).Where(later => later.Kind != first.Remedy.Kind && Wanted(later))
                        .SelectMany(later => later.Propose(partly, findings)).Select(second => ImmutableArray.Create(first, second)));
                }
            }
        }
        Dictionary<string, Trial> alone = singles.ToDictionary(trial => trial.Name);
        return Diverse(Ranked(pairs)
            .OrderByDescending(trial => Math.Abs(trial.PredictedDecades) < Flat)
            .ThenByDescending(trial => trial.Remedies.All(remedy => !(Math.Abs(alone.GetValueOrDefault(remedy.Name)?.PredictedDecades ?? double.NaN) < Flat)))
            .ThenByDescending(trial => trial.Remedies.Max(remedy => alone.GetValueOrDefault(remedy.Name) is { } known && double.IsFinite(known.Loss) ? known.Metric : double.MinValue)), most);
    }

    public ModelDefinition Apply(ImmutableArray<Prescription> remedies) => remedies.Aggregate(model, (mended, remedy) => remedy.Rewrite(mended));

    private IEnumerable<Remedy> Indicated => RemedyCatalog.All.Where(remedy => findings.Any(finding => finding.Remedies.Contains(remedy.Kind)));

    /// <summary>As the second half of a pair, other weights are worth a try even where no rule asks for them.</summary>
    private bool Wanted(Remedy remedy) => remedy.Safety == Safety.Reinitializes || Indicated.Contains(remedy);

    private ModelDefinition? TryApply(ImmutableArray<Prescription> remedies)
    {
        try
        {
            return Apply(remedies);
        }
        catch (GraphException error)
        {
            Impossible.Add(new Trial { Remedies = remedies, PredictedDecades = double.NaN, Fate = $"cannot be applied: {error.Message}" });
            return null;
        }
    }

    private List<Trial> Ranked(IEnumerable<ImmutableArray<Prescription>> sets)
    {
        List<Trial> trials = [];
        foreach (ImmutableArray<Prescription> set in sets)
        {
            if (TryApply(set) is not { } mended)
            {
                continue;
            }
            double decades = Decades(mended, data);
            bool onlyPlan = set.All(item => item.Remedy.Safety == Safety.TrainingPlan);
            // A rewrite of the network that leaves the gradient no flatter than it was is not worth a run.
            if (onlyPlan || double.IsNaN(decades) || double.IsNaN(sickDecades) || Math.Abs(decades) <= sickDecades + 0.1)
            {
                trials.Add(new Trial { Remedies = set, PredictedDecades = decades });
            }
        }
        return [.. trials.OrderBy(trial => double.IsNaN(trial.PredictedDecades) ? double.MaxValue : Math.Round(Math.Abs(trial.PredictedDecades), 1)).ThenBy(trial => trial.Invasiveness)];
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

    /// <summary>log10 of first over last layer's gradient by theory; NaN if theory cannot say.</summary>
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
