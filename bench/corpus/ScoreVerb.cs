using System.Collections.Concurrent;
using System.CommandLine;

namespace Fathom.Corpus;

/// <summary><c>score</c>: what Fathom says of the labelled networks, beside the rules that others have published.</summary>
internal static class ScoreVerb
{
    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Option<int> count = CorpusOptions.Count(), workers = CorpusOptions.Workers();
        Option<string> part = new("--part") { HelpName = "tuning|test", DefaultValueFactory = _ => "test", Description = "Which half (default test; thresholds may be chosen on tuning only)." };
        part.AcceptOnlyFromAmong("tuning", "test");
        Option<bool> misses = new("--misses") { Description = "List the networks that were judged wrongly." };
        Command command = new("score", "Watch the labelled networks train, and count what was found, against what became of them.") { folder, count, workers, part, misses };
        command.SetAction((parsed, cancellation) =>
        {
            Dictionary<int, Label> labels = CorpusOptions.ReadLabels(parsed.GetRequiredValue(folder));
            bool test = parsed.GetValue(part) == "test";
            CorpusCase[] networks = [.. Enumerable.Range(0, parsed.GetValue(count)).Where(labels.ContainsKey).Select(number => Generator.Case(number))
                .Where(network => network.IsTest == test && labels[network.Number].Outcome is Outcome.Healthy or Outcome.Sick)];
            if (networks.FirstOrDefault(network => labels[network.Number].Print != Label.Fingerprint(network.Recipe)) is { } stale)
            {
                throw new CorpusException($"the label of network {stale.Number} was given to another recipe; run the verb 'label' again");
            }
            Examination[] results = Examine(networks, labels, Math.Max(1, parsed.GetValue(workers)), cancellation);
            ScoreTable.Write(results, Console.Out);
            if (parsed.GetValue(misses))
            {
                ScoreTable.WriteMisses(results, Console.Out);
            }
            return Task.FromResult(0);
        });
        return command;
    }

    private static Examination[] Examine(CorpusCase[] networks, Dictionary<int, Label> labels, int workers, CancellationToken cancellation)
    {
        ConcurrentBag<Examination> results = [];
        Parallel.ForEach(networks, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, network =>
        {
            results.Add(Examination.Of(network, labels[network.Number], cancellation));
            Console.Error.Write($"\r{results.Count}/{networks.Length} ");
        });
        Console.Error.WriteLine();
        return [.. results.OrderBy(result => result.Network.Number)];
    }
}
