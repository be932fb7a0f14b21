using System.Collections.Concurrent;
using System.Globalization;
using Fathom.Compute;
using static Fathom.Corpus.Family;

namespace Fathom.Corpus;

/// <summary>
/// The best that a network of a given size attains on a task in a given time: the best of a handful of networks of the
/// same family, width and at most the same depth, with settings that are known to work. Results are kept in a file.
/// </summary>
internal sealed class References
{
    private const string Header = "task,family,depth,width,epochs,best,by";

    private readonly ConcurrentDictionary<string, Lazy<double>> known = new();
    private readonly LineStore store;

    public References(string path)
    {
        store = new LineStore(path, Header);
        foreach (string line in store.Lines)
        {
            string[] fields = line.Split(',');
            double best = double.Parse(fields[5], CultureInfo.InvariantCulture);
            known[string.Join(',', fields[..5])] = new Lazy<double>(best);
        }
    }

    public double Best(Recipe recipe, CancellationToken cancellation)
    {
        string key = string.Create(CultureInfo.InvariantCulture, $"{recipe.Task},{recipe.Family},{recipe.Depth},{recipe.Width},{recipe.Epochs}");
        return known.GetOrAdd(key, _ => new Lazy<double>(() => Measure(recipe, key, cancellation))).Value;
    }

    public void Sort() => store.Rewrite(Header, store.Lines.Order(StringComparer.Ordinal).ToArray());

    private double Measure(Recipe recipe, string key, CancellationToken cancellation)
    {
        using WorkerPool pool = new(1);
        (double Score, string By) best = (0, "");
        foreach (Recipe candidate in Candidates(recipe))
        {
            double score = Trial.Score(candidate, 1, pool, cancellation);
            if (score > best.Score)
            {
                best = (score, string.Create(CultureInfo.InvariantCulture, $"{candidate.Activation} {candidate.Step.Kind} {candidate.Step.Rate} depth {candidate.Depth}{(candidate.BatchNorm ? " batch norm" : "")}"));
            }
        }
        store.Append(string.Create(CultureInfo.InvariantCulture, $"{key},{best.Score:0.####},{best.By}"));
        return best.Score;
    }

    private static IEnumerable<Recipe> Candidates(Recipe recipe)
    {
        Recipe sound = new()
        {
            Family = recipe.Family, Task = recipe.Task, Depth = recipe.Depth, Width = recipe.Width, Epochs = recipe.Epochs, Batch = 32,
            Step = new StepRule("adam", 5e-3), Weights = new("he"),
        };
        return recipe.Family switch
        {
            Recurrent =>
            [
                sound with { Weights = new("default"), Activation = "tanh", Clip = 1, Depth = 1 },
                sound with { Weights = new("default"), Activation = "tanh", Clip = 1, Cell = Cell.Gru, Step = new("adam", 1e-2), Depth = 1 },
            ],
            Transformer => [sound with { Step = new("adam", 1e-3) }, sound with { Step = new("adam", 3e-3), Depth = Math.Min(2, recipe.Depth) }],
            Convolutional => [sound with { BatchNorm = true }, sound with { Step = new("adam", 2e-3) }, sound with { Depth = Math.Min(3, recipe.Depth) }],
            _ =>
            [
                sound with { Step = new("adam", 2e-3) },
                sound with { BatchNorm = true },
                sound with { Depth = Math.Min(3, recipe.Depth) },
                sound with { Depth = Math.Min(2, recipe.Depth), Activation = "tanh", Weights = new("xavier"), Step = new("adam", 1e-2) },
                sound with { Depth = Math.Min(2, recipe.Depth), Activation = "elu", Step = new("adam", 5e-3) },
            ],
        };
    }
}
