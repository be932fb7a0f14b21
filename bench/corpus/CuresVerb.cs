using System.Collections.Immutable;
using System.CommandLine;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Corpus;

/// <summary><c>cures</c>: which faults one remedy alone can undo, whatever the search would make of it.</summary>
internal static class CuresVerb
{
    /// <summary>How far below the best of its size a mended network may stay.</summary>
    private const double Near = 0.03;

    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Option<int> count = CorpusOptions.Count();
        Option<int> each = new("--each") { HelpName = "N", DefaultValueFactory = _ => 1, Description = "Networks of each fault (default 1)." };
        Command command = new("cures", "Of the tuning part, train sick networks with each remedy alone, and say which of them mend each fault.") { folder, count, each };
        command.SetAction((parsed, cancellation) =>
        {
            Dictionary<int, Label> labels = CorpusOptions.ReadLabels(parsed.GetRequiredValue(folder));
            IEnumerable<IGrouping<string, CorpusCase>> faults = Enumerable.Range(0, parsed.GetValue(count)).Where(number => !Generator.Case(number).IsTest && labels.TryGetValue(number, out Label? label) && label is { Outcome: Outcome.Sick, Healed.Length: > 0 })
                .Select(number => Generator.Case(number)).Where(network => network.Fault is not null && labels[network.Number].Print == Label.Fingerprint(network.Recipe))
                .GroupBy(network => network.Fault!.Name);
            foreach (IGrouping<string, CorpusCase> fault in faults)
            {
                foreach (CorpusCase network in fault.Take(parsed.GetValue(each)))
                {
                    Try(network, labels[network.Number], cancellation);
                }
            }
            return Task.FromResult(0);
        });
        return command;
    }

    private static void Try(CorpusCase network, Label label, CancellationToken cancellation)
    {
        using WorkerPool pool = new(1);
        DataSplit data = RecipeBuilder.Data(network.Recipe);
        ModelDefinition model = RecipeBuilder.Model(network.Recipe, network.Name, network.Seed);
        CaseHistory history = new([Of(network.Fault!.Cause), .. network.Fault.AlsoRight.Select(Of)]) { Data = data.Training };
        List<(string Name, double Score)> tried = [];
        // A remedy for this cause is asked first; the others could still help.
        foreach (Remedy remedy in RemedyCatalog.All)
        {
            foreach (Prescription prescription in remedy.Propose(model, history))
            {
                cancellation.ThrowIfCancellationRequested();
                tried.Add((prescription.Name, Score(prescription, model, data, pool, cancellation)));
            }
        }
        (string Name, double Score)[] cures = [.. tried.Where(item => item.Score >= label.Best - Near).OrderByDescending(item => item.Score)];
        (string Name, double Score) best = tried.Where(item => !double.IsNaN(item.Score)).DefaultIfEmpty((Name: "none", Score: double.NaN)).MaxBy(item => item.Score);
        Console.WriteLine(FormattableString.Invariant($"{network.Fault.Name,-36} {network.Name}  best of its size {label.Best:0.000}, as it is {label.Scores.Average():0.000}; {cures.Length} of {tried.Count} mend it: ")
            + (cures.Length > 0 ? string.Join("; ", cures.Take(5).Select(item => item.Name)) : FormattableString.Invariant($"none; nearest {best.Name} with {best.Score:0.000}")));
    }

    private static double Score(Prescription prescription, ModelDefinition model, DataSplit data, WorkerPool pool, CancellationToken cancellation)
    {
        try
        {
            return Trial.Score(prescription.Rewrite(model), data, pool, cancellation);
        }
        catch (Exception error) when (error is GraphException or TrainingException)
        {
            return double.NaN;
        }
    }

    private static Finding Of(string cause) => new()
    {
        Rule = "", Problem = "", Severity = Severity.Error, Cause = cause, Layers = [], Step = 0, Confidence = 1, Explanation = "",
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty,
    };
}
