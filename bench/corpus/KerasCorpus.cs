using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Formats;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Corpus;

/// <summary>One Keras model of a folder, and what it is trained on.</summary>
/// <param name="Number">Its number.</param>
/// <param name="File">Path of the model's JSON.</param>
/// <param name="Task">What it learns.</param>
/// <param name="Factor">What the inputs are multiplied by.</param>
/// <param name="Batch">Rows per step.</param>
/// <param name="Epochs">Passes over the data.</param>
/// <param name="Fault">What was put into it; null for a sound one.</param>
/// <param name="Mends">Number of the case of which it is the mended variant, by a single change; null for none.</param>
/// <param name="Shows">Causes that are thereby proven, if it turns out healthy.</param>
internal sealed record KerasCase(int Number, string File, LearningTask Task, double Factor, int Batch, int Epochs, string? Fault, int? Mends, ImmutableArray<string> Shows)
{
    public string Name => Path.GetFileNameWithoutExtension(File);

    public DataSplit Data => Synthetic.Rescale(Task.Data, Factor, 0);

    /// <summary>The model, with the batch size, epochs and seed that Keras keeps elsewhere.</summary>
    public ModelDefinition Model(ulong seed)
    {
        ModelDefinition read = ModelReader.Read(File);
        return read with { Name = Name, Plan = read.Plan with { BatchSize = Batch, Epochs = Epochs, Seed = seed } };
    }

    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData([.. System.IO.File.ReadAllBytes(File), .. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Task},{Factor},{Batch},{Epochs}"))]))[..10];
}

/// <summary>
/// A folder of Keras models, so that rules are not fitted to what the generator draws: <c>cases.csv</c> says what each is
/// trained on, <c>labels.csv</c> what became of it.
/// </summary>
internal sealed class KerasCorpus
{
    private const string Header = "number,file,task,factor,batch,epochs,fault,mends,shows";

    /// <summary>Seed of the watched run; labels are made with others.</summary>
    private const ulong Seed = 7;

    private readonly ImmutableArray<KerasCase> cases;
    private readonly string labels;

    private KerasCorpus(ImmutableArray<KerasCase> cases, string labels) => (this.cases, this.labels) = (cases, labels);

    public static KerasCorpus Open(string folder)
    {
        string list = Path.Combine(folder, "cases.csv");
        if (!File.Exists(list))
        {
            throw new CorpusException($"{folder} has no cases.csv, a list of its models with the columns {Header}");
        }
        return new KerasCorpus([.. File.ReadLines(list).Skip(1).Where(line => line.Length > 0).Select(line => Parse(folder, line))], CorpusOptions.LabelsOf(folder));
    }

    /// <summary>The labelled ones.</summary>
    public IEnumerable<Subject> Subjects()
    {
        Dictionary<int, Label> known = CorpusOptions.ReadLabels(Path.GetDirectoryName(labels)!);
        foreach (KerasCase one in cases.Where(one => known.ContainsKey(one.Number)))
        {
            Label label = known[one.Number];
            yield return label.Print != one.Fingerprint ? throw new CorpusException($"the label of {one.Name} was given to another model; run label --keras again")
                : new Subject(one.Name, GroupOf(one), one.Fault, label, [.. label.Healed.SelectMany(CausesOf)], 0, () => one.Model(Seed), () => one.Data);
        }
    }

    /// <summary>Trains what has no label yet, by the rules of <see cref="Labeller"/>.</summary>
    public void LabelAll(References references, CancellationToken cancellation)
    {
        LineStore store = new(labels, Label.Header);
        Dictionary<int, Label> known = store.Lines.Select(Label.Parse).ToDictionary(label => label.Number);
        Dictionary<int, ImmutableArray<double>> scores = [];
        ImmutableArray<double> ScoresOf(KerasCase one) => scores.TryGetValue(one.Number, out ImmutableArray<double> found) ? found
            : scores[one.Number] = known.TryGetValue(one.Number, out Label? label) && label.Print == one.Fingerprint ? label.Scores
            : [.. Labeller.Seeds.Select(seed => Trial.Score(one.Model(seed), one.Data, cancellation))];
        foreach (KerasCase one in cases.Where(one => !known.TryGetValue(one.Number, out Label? label) || label.Print != one.Fingerprint))
        {
            KerasCase[] mended = [.. cases.Where(other => other.Mends == one.Number)];
            double best = mended.Append(one).Select(other => Labeller.Median(ScoresOf(other))).Append(references.Best(Like(one), cancellation)).Max();
            Outcome outcome = Labeller.Judge(one.Task, ScoresOf(one), best);
            IEnumerable<string> healed = outcome != Outcome.Sick ? []
                : [.. mended.Where(other => Labeller.Median(ScoresOf(other)) >= best - 2 * Labeller.Near).Select(other => $"case {other.Number}"),
                    .. Counterfactual.Rates.Where(rate => Labeller.Heals(Trial.Score(Faster(one.Model(Labeller.Seeds[0]), rate.Factor), one.Data, cancellation), best)).Select(rate => rate.Name)];
            Label label = new(one.Number, one.Fingerprint, outcome, best, ScoresOf(one), [.. healed]);
            store.Append(label.ToLine());
            known[one.Number] = label;
            Console.Error.WriteLine($"{one.Name}: {outcome}, {string.Join(' ', label.Scores)} of {best:0.###}{(label.Healed.IsEmpty ? "" : ", healed by " + string.Join("; ", label.Healed))}");
        }
        store.Rewrite(Label.Header, known.Values.Where(label => cases.Any(one => one.Number == label.Number)).OrderBy(label => label.Number).Select(label => label.ToLine()));
    }

    private IEnumerable<string> CausesOf(string healed) => healed.StartsWith("case ", StringComparison.Ordinal)
        ? cases.First(one => one.Number == int.Parse(healed.AsSpan(5), CultureInfo.InvariantCulture)).Shows
        : [Counterfactual.All.First(change => change.Name == healed).Cause];

    private static ModelDefinition Faster(ModelDefinition model, double factor) =>
        model with { Plan = model.Plan with { Optimizer = model.Plan.Optimizer with { LearningRate = model.Plan.Optimizer.LearningRate * factor } } };

    /// <summary>A recipe of the same size, to know what can be attained.</summary>
    private static Recipe Like(KerasCase one)
    {
        Graph graph = one.Model(Seed).Graph;
        Node[] layers = [.. TrainingMonitor.WeightLayers(graph)];
        int width = layers.SkipLast(1).Select(layer => layer.Op is ConvolutionOp ? 8 : layer.Output.Shape[^1].Size).DefaultIfEmpty(1).Min();
        return new Recipe
        {
            Family = Enum.Parse<Family>(GroupOf(one)), Task = one.Task, Depth = Math.Max(1, layers.Length - 1), Width = Math.Max(1, width), Epochs = one.Epochs,
            Batch = one.Batch, Step = new StepRule("adam", 1e-3),
        };
    }

    private static string GroupOf(KerasCase one)
    {
        Graph graph = one.Model(Seed).Graph;
        return (graph.Nodes.Any(node => node.Op is RecurrentLayer) ? Family.Recurrent : graph.Nodes.Any(node => node.Op is ConvolutionOp) ? Family.Convolutional : Family.Chain).ToString();
    }

    private static KerasCase Parse(string folder, string line)
    {
        string[] fields = line.Split(',');
        if (fields.Length != 9)
        {
            throw new CorpusException($"'{line}' is no case; it must have {Header}");
        }
        double Number(int field) => double.TryParse(fields[field], CultureInfo.InvariantCulture, out double number) ? number : throw new CorpusException($"'{fields[field]}' in '{line}' is no number");
        LearningTask task = LearningTask.All.FirstOrDefault(task => task.Name == fields[2]) ?? throw new CorpusException($"there is no task '{fields[2]}'; there are {string.Join(", ", LearningTask.All)}");
        return new KerasCase((int)Number(0), Path.Combine(folder, fields[1]), task, Number(3), (int)Number(4), (int)Number(5), fields[6].Length == 0 ? null : fields[6],
            fields[7].Length == 0 ? null : (int)Number(7), [.. fields[8].Split('/', StringSplitOptions.RemoveEmptyEntries)]);
    }
}
