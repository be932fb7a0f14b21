using System.CommandLine;
using System.Diagnostics;

namespace Fathom.Corpus;

/// <summary>Where the corpus lies, and how much of it there is.</summary>
internal static class CorpusOptions
{
    public static Option<string> Folder() => new("--folder") { HelpName = "DIR", DefaultValueFactory = _ => "bench/corpus/labels", Description = "Where labels.csv and references.csv lie (default bench/corpus/labels)." };

    public static Option<int> Count() => new("--count") { HelpName = "N", DefaultValueFactory = _ => 2200, Description = "How many networks (default 2200)." };

    public static Option<bool> OneLayer() => new("--one-layer") { Description = $"The networks with one bad layer instead (numbers from {CorpusCase.FirstWithBadLayer})." };

    /// <summary>Numbers of the networks that are asked for.</summary>
    public static IEnumerable<int> Numbers(int count, bool oneLayer) => Enumerable.Range(oneLayer ? CorpusCase.FirstWithBadLayer : 0, count);

    public static Option<int> Workers() => new("--workers") { HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Networks that are trained side by side (default: one per processor)." };

    public static Option<string?> Keras() => new("--keras") { HelpName = "DIR", Description = "The Keras models of a folder instead, such as bench/corpus/keras." };

    public static string LabelsOf(string folder) => Path.Combine(folder, "labels.csv");

    public static Dictionary<int, Label> ReadLabels(string folder) =>
        File.Exists(LabelsOf(folder)) ? File.ReadLines(LabelsOf(folder)).Skip(1).Where(line => line.Length > 0).Select(Label.Parse).ToDictionary(label => label.Number)
        : throw new CorpusException($"{folder} has no labels.csv; run the verb 'label' first");
}

/// <summary><c>label</c>: trains every network to see what becomes of it.</summary>
internal static class LabelVerb
{
    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Option<int> count = CorpusOptions.Count(), workers = CorpusOptions.Workers();
        Option<string?> keras = CorpusOptions.Keras();
        Option<bool> oneLayer = CorpusOptions.OneLayer();
        Command command = new("label", "Train each network with three seeds and against the best of its size; write down what became of it. Goes on where it was broken off.") { folder, count, workers, keras, oneLayer };
        command.SetAction((parsed, cancellation) =>
        {
            if (parsed.GetValue(keras) is { } models)
            {
                KerasCorpus.Open(models).LabelAll(new References(Path.Combine(models, "references.csv")), cancellation);
                return Task.FromResult(0);
            }
            Run(parsed.GetRequiredValue(folder), CorpusOptions.Numbers(parsed.GetValue(count), parsed.GetValue(oneLayer)), Math.Max(1, parsed.GetValue(workers)), cancellation);
            return Task.FromResult(0);
        });
        return command;
    }

    private static void Run(string folder, IEnumerable<int> numbers, int workers, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        LineStore store = new(CorpusOptions.LabelsOf(folder), Label.Header);
        References references = new(Path.Combine(folder, "references.csv"));
        Labeller labeller = new(references, cancellation);
        Dictionary<int, Label> known = store.Lines.Select(Label.Parse).ToDictionary(label => label.Number);
        CorpusCase[] open = [.. numbers.Select(number => Generator.Case(number))
            .Where(network => !known.TryGetValue(network.Number, out Label? label) || label.Print != Label.Fingerprint(network.Recipe))];
        foreach (CorpusCase changed in open)
        {
            known.Remove(changed.Number);
        }
        long started = Stopwatch.GetTimestamp();
        int done = 0;
        Parallel.ForEach(open, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, network =>
        {
            Label label = labeller.Label(network);
            store.Append(label.ToLine());
            lock (known)
            {
                known[network.Number] = label;
                done++;
                TimeSpan left = Stopwatch.GetElapsedTime(started) / done * (open.Length - done);
                Console.Error.WriteLine($"{done}/{open.Length}  {network.Name} {network.Recipe.Family} {network.Fault?.Name ?? "–"}: {label.Outcome}  ({left.TotalMinutes:F0} min left)");
            }
        });
        store.Rewrite(Label.Header, known.Values.OrderBy(label => label.Number).Select(label => label.ToLine()));
        references.Sort();
        foreach (IGrouping<Outcome, Label> group in known.Values.GroupBy(label => label.Outcome).OrderBy(group => group.Key))
        {
            Console.WriteLine($"{group.Key,-10} {group.Count()}");
        }
    }
}
