using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;

namespace Fathom.Corpus;

/// <summary><c>score</c>: what Fathom says of the labelled networks, beside the rules that others have published.</summary>
internal static class ScoreVerb
{
    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Option<int> count = CorpusOptions.Count(), workers = CorpusOptions.Workers();
        Option<string> part = new("--part") { HelpName = "tuning|test", DefaultValueFactory = _ => "test", Description = "Which part (default test; thresholds may be chosen on tuning only)." };
        part.AcceptOnlyFromAmong("tuning", "test");
        Option<int> from = new("--from") { HelpName = "NUMBER", Description = "Leave out networks below this number." };
        Option<bool> misses = new("--misses") { Description = "List the networks that were judged wrongly." };
        Option<bool> errors = new("--errors") { Description = "List when the errors of each network held, those that were withdrawn among them." };
        Option<string?> only = new("--only") { HelpName = "N,N…", Description = "These networks alone, to look at again." };
        Option<string?> keras = CorpusOptions.Keras();
        Option<bool> oneLayer = CorpusOptions.OneLayer();
        Command command = new("score", "Watch the labelled networks train, and count what was found, against what became of them.") { folder, count, workers, part, from, misses, errors, only, keras, oneLayer };
        command.SetAction((parsed, cancellation) =>
        {
            HashSet<int>? wanted = parsed.GetValue(only) is { } list ? [.. list.Split(',').Select(ToNumber)] : null;
            Subject[] networks = parsed.GetValue(keras) is { } models
                ? [.. KerasCorpus.Open(models).Subjects()]
                : [.. Drawn(parsed.GetRequiredValue(folder), CorpusOptions.Numbers(parsed.GetValue(count), parsed.GetValue(oneLayer)), parsed.GetValue(part) == "test")];
            networks = [.. networks.Where(network => network.Label.Outcome is Outcome.Healthy or Outcome.Sick && network.Label.Number >= parsed.GetValue(from) && wanted?.Contains(network.Label.Number) != false)];
            Examination[] results = Examine(networks, Math.Max(1, parsed.GetValue(workers)), cancellation);
            ScoreTable.Write(results, Console.Out);
            if (parsed.GetValue(misses))
            {
                ScoreTable.WriteMisses(results, Console.Out);
            }
            if (parsed.GetValue(errors))
            {
                ScoreTable.WriteErrors(results, Console.Out);
            }
            return Task.FromResult(0);
        });
        return command;
    }

    private static IEnumerable<Subject> Drawn(string folder, IEnumerable<int> numbers, bool test)
    {
        Dictionary<int, Label> labels = CorpusOptions.ReadLabels(folder);
        CorpusCase[] networks = [.. numbers.Where(labels.ContainsKey).Select(number => Generator.Case(number)).Where(network => network.IsTest == test)];
        return networks.FirstOrDefault(network => labels[network.Number].Print != Label.Fingerprint(network.Recipe)) is { } stale
            ? throw new CorpusException($"the label of network {stale.Number} was given to another recipe; run the verb 'label' again")
            : networks.Select(network => Subject.Of(network, labels[network.Number]));
    }

    private static Examination[] Examine(Subject[] networks, int workers, CancellationToken cancellation)
    {
        ConcurrentBag<Examination> results = [];
        long started = Stopwatch.GetTimestamp();
        Parallel.ForEach(networks, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, network =>
        {
            results.Add(Examination.Of(network, cancellation));
            TimeSpan left = Stopwatch.GetElapsedTime(started) / results.Count * (networks.Length - results.Count);
            Console.Error.Write($"\r{results.Count}/{networks.Length}  {left.TotalMinutes:F0} min left ");
        });
        Console.Error.WriteLine();
        return [.. results.OrderBy(result => result.Network.Label.Number)];
    }

    private static int ToNumber(string text) => int.TryParse(text, out int number) ? number : throw new CorpusException($"--only takes numbers of networks; '{text}' is none");
}
