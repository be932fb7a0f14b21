using System.CommandLine;
using System.Diagnostics;
using Fathom.Diagnosis.Repair;

namespace Fathom.Corpus;

/// <summary><c>repair</c>: lets the doctor mend the labelled networks, and counts what became of them.</summary>
internal static class RepairVerb
{
    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Option<int> count = CorpusOptions.Count(), workers = CorpusOptions.Workers();
        Option<string> part = new("--part") { HelpName = "tuning|test", DefaultValueFactory = _ => "test", Description = "Which part (default test; nothing may be chosen on it)." };
        part.AcceptOnlyFromAmong("tuning", "test");
        Option<string?> results = new("--results") { HelpName = "FILE", Description = "Where results are appended; the same command goes on where it was broken off (default bench/corpus/results/repair-PART.csv, or -without-baseline)." };
        Option<bool> baseline = new("--baseline") { Description = "Beside it, random repair with the same number of trials." };
        Option<bool> healthy = new("--healthy") { Description = "Healthy networks, which must be left alone, as well." };
        Option<int> from = new("--from") { HelpName = "NUMBER", Description = "Leave out networks below this number." };
        Option<int> every = new("--every") { HelpName = "N", DefaultValueFactory = _ => 1, Description = "Only networks whose number is a multiple of this." };
        Option<string?> reports = new("--reports") { HelpName = "DIR", Description = "Write what was found and tried, network by network, to this folder." };
        Option<int?> only = new("--only") { HelpName = "NUMBER", Description = "One network only; print each trial, and append nothing." };
        Option<bool> misses = new("--misses") { Description = "List the networks that were not mended, or were made worse." };
        Command command = new("repair", "Examine and mend each labelled network that has a cure; train what comes out, and compare it with the best of its size.") { folder, count, workers, part, results, baseline, healthy, from, every, reports, only, misses };
        command.SetAction((parsed, cancellation) =>
        {
            if (parsed.GetValue(only) is { } number)
            {
                RepairTable.WriteReport(RepairRun.Examine(Generator.Case(number), cancellation), Console.Out);
                return Task.FromResult(0);
            }
            string which = parsed.GetRequiredValue(part);
            string file = parsed.GetValue(results) ?? Path.Combine("bench", "corpus", "results", $"repair-{which}{(parsed.GetValue(baseline) ? "" : "-without-baseline")}.csv");
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
            Dictionary<int, Label> labels = CorpusOptions.ReadLabels(parsed.GetRequiredValue(folder));
            CorpusCase[] networks = [.. Enumerable.Range(0, parsed.GetValue(count)).Where(number => labels.ContainsKey(number) && number >= parsed.GetValue(from) && number % Math.Max(1, parsed.GetValue(every)) == 0).Select(number => Generator.Case(number))
                .Where(network => network.IsTest == (which == "test") && Belongs(labels[network.Number], parsed.GetValue(healthy)) && labels[network.Number].Print == Label.Fingerprint(network.Recipe))];
            IReadOnlyList<RepairCase> done = Run(networks, labels, new LineStore(file, RepairCase.Header), parsed.GetValue(baseline), parsed.GetValue(reports), Math.Max(1, parsed.GetValue(workers)), cancellation);
            RepairTable.Write(done, labels, Console.Out);
            if (parsed.GetValue(misses))
            {
                RepairTable.WriteMisses(done, labels, Console.Out);
            }
            return Task.FromResult(0);
        });
        return command;
    }

    private static bool Belongs(Label label, bool healthy) => label.Outcome == Outcome.Sick ? label.Healed.Length > 0 : healthy && label.Outcome == Outcome.Healthy;

    private static IReadOnlyList<RepairCase> Run(CorpusCase[] networks, Dictionary<int, Label> labels, LineStore store, bool baseline, string? reports, int workers, CancellationToken cancellation)
    {
        Dictionary<int, RepairCase> known = store.Lines.Select(RepairCase.Parse).Where(result => labels.TryGetValue(result.Number, out Label? label) && label.Print == result.Print).ToDictionary(result => result.Number);
        CorpusCase[] open = [.. networks.Where(network => !known.ContainsKey(network.Number))];
        long started = Stopwatch.GetTimestamp();
        int done = 0;
        Parallel.ForEach(open, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, network =>
        {
            RepairCase result = RepairRun.Of(network, labels[network.Number], baseline, report => Write(report, network, labels[network.Number], reports), cancellation);
            store.Append(result.ToLine());
            lock (known)
            {
                known[network.Number] = result;
                done++;
                TimeSpan left = Stopwatch.GetElapsedTime(started) / done * (open.Length - done);
                Console.Error.WriteLine($"{done}/{open.Length}  {network.Name} {network.Fault?.Name ?? "–"}: {(result.Changed ? result.Cure : "unchanged")}, cost {result.Cost.Total:F2}  ({left.TotalMinutes:F0} min left)");
            }
        });
        return [.. networks.Select(network => known[network.Number])];
    }

    /// <summary>A page of a network's own, if a folder was given.</summary>
    private static void Write(DoctorReport report, CorpusCase network, Label label, string? folder)
    {
        if (folder is null)
        {
            return;
        }
        Directory.CreateDirectory(folder);
        using StreamWriter page = new(Path.Combine(folder, $"{network.Name}.txt"));
        page.WriteLine(FormattableString.Invariant($"{network.Name} {label.Outcome} '{network.Fault?.Name ?? "–"}' as it is {string.Join(' ', label.Scores)}, best {label.Best}, cured by {string.Join('/', label.Healed)}"));
        page.WriteLine(network.Recipe);
        RepairTable.WriteReport(report, page);
    }
}
