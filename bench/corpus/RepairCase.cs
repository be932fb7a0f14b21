using System.Collections.Immutable;
using System.Globalization;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Corpus;

/// <summary>What the doctor made of one network of the corpus, and what random repair made of it.</summary>
/// <param name="Number">The network's number.</param>
/// <param name="Print">Fingerprint of its recipe.</param>
/// <param name="Outcome">Its label.</param>
/// <param name="Called">Whether an error was found.</param>
/// <param name="Cure">What was applied; empty for nothing.</param>
/// <param name="Trials">Candidates that were run.</param>
/// <param name="Cost">In full runs of the network as given.</param>
/// <param name="Seconds">Wall time of the examination.</param>
/// <param name="Scores">The network as the doctor leaves it, by seed, at full budget; for one that is not changed those of the label.</param>
/// <param name="Random">The same for random repair; empty if it was not asked for.</param>
/// <param name="Cause">The cause that was named.</param>
internal sealed record RepairCase(int Number, string Print, Outcome Outcome, bool Called, string Cure, int Trials, SearchCost Cost, double Seconds, ImmutableArray<double> Scores, ImmutableArray<double> Random, string Cause)
{
    public const string Header = "number,print,outcome,called,cause,cure,trials,control,search,proof,seconds,scores,random";

    /// <summary>A mended network comes this close to the best of its size.</summary>
    public const double Near = 0.03;

    /// <summary>A healthy network that loses more than this, its seeds' spread apart, was made worse.</summary>
    private const double Loss = 0.02;

    public bool Changed => Cure.Length > 0;

    public bool Mended(Label label) => Changed && Good(Scores, label);

    public bool RandomlyMended(Label label) => Good(Random, label);

    public bool MadeWorse(Label label) => Changed && Median(Scores) < Median(label.Scores) - Math.Max(Loss, Spread(label.Scores));

    /// <summary>Within 0.03 of the best attainable known, and above the control by more than seeds differ.</summary>
    private static bool Good(ImmutableArray<double> scores, Label label) => !scores.IsEmpty && Median(scores) >= label.Best - Near
        && scores.Average() - label.Scores.Average() > Math.Max(Spread(scores), Spread(label.Scores));

    private static double Median(ImmutableArray<double> scores) => scores.Order().ElementAt(scores.Length / 2);

    private static double Spread(ImmutableArray<double> scores)
    {
        double mean = scores.Average();
        return Math.Sqrt(scores.Sum(score => (score - mean) * (score - mean)) / Math.Max(1, scores.Length - 1));
    }

    public string ToLine() => string.Join(',', Number, Print, Outcome.ToString().ToLowerInvariant(), Called ? "yes" : "no", Cause, Cure.Replace(',', ' '), Trials, Text(Cost.Control), Text(Cost.Trials), Text(Cost.Proof),
        Text(Seconds), string.Join(' ', Scores.Select(Text)), string.Join(' ', Random.Select(Text)));

    public static RepairCase Parse(string line)
    {
        string[] f = line.Split(',');
        return f.Length == 13 && int.TryParse(f[0], CultureInfo.InvariantCulture, out int number) && Enum.TryParse(f[2], ignoreCase: true, out Outcome outcome)
            ? new RepairCase(number, f[1], outcome, f[3] == "yes", f[5], int.Parse(f[6], CultureInfo.InvariantCulture), new SearchCost(ToNumber(f[7]), ToNumber(f[8]), ToNumber(f[9])), ToNumber(f[10]), ToScores(f[11]), ToScores(f[12]), f[4])
            : throw new CorpusException($"'{line}' is no result of a repair; it must have {Header}");
    }

    private static ImmutableArray<double> ToScores(string text) => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(ToNumber)];

    private static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);

    private static double ToNumber(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>Lets the doctor, and chance, mend a network of the corpus, and trains what they leave.</summary>
internal static class RepairRun
{
    private static readonly ulong[] Seeds = [101, 202, 303];

    public static RepairCase Of(CorpusCase network, Label label, bool baseline, Action<DoctorReport> examined, CancellationToken cancellation)
    {
        using WorkerPool pool = new(1);
        ModelDefinition model = RecipeBuilder.Model(network.Recipe, network.Name, network.Seed);
        DataSplit data = RecipeBuilder.Data(network.Recipe);
        DoctorReport report = new Doctor(data, pool).Examine(model, cancellation);
        examined(report);
        int trials = report.Trials.Count(trial => trial.Steps > 0);
        ImmutableArray<double> scores = report.Mended is { } mended ? Scores(mended, data, pool, cancellation) : label.Scores;
        ImmutableArray<double> random = baseline && trials > 0 ? Scores(Randomly(model, data, report.Findings, trials, network.Number, pool, cancellation), data, pool, cancellation) : [];
        return new RepairCase(network.Number, label.Print, label.Outcome, report.Sick, report.Cure?.Name ?? "", trials, report.Cost, report.Seconds, scores, random, report.Findings.FirstOrDefault(finding => finding.Severity == Severity.Error)?.Cause ?? Causes.None);
    }

    /// <summary>The doctor's report alone.</summary>
    public static DoctorReport Examine(CorpusCase network, CancellationToken cancellation)
    {
        using WorkerPool pool = new(1);
        return new Doctor(RecipeBuilder.Data(network.Recipe), pool).Examine(RecipeBuilder.Model(network.Recipe, network.Name, network.Seed), cancellation);
    }

    private static ImmutableArray<double> Scores(ModelDefinition model, DataSplit data, WorkerPool pool, CancellationToken cancellation) =>
        [.. Seeds.Select(seed => Trial.Score(model with { Plan = model.Plan with { Seed = seed } }, data, pool, cancellation))];

    /// <summary>
    /// As many remedies as the doctor tried, each drawn uniformly from all that can be applied, trained to the end with the
    /// control's seed; the best one is kept, or the network as it is.
    /// </summary>
    private static ModelDefinition Randomly(ModelDefinition model, DataSplit data, IReadOnlyList<Finding> findings, int trials, int number, WorkerPool pool, CancellationToken cancellation)
    {
        RandomStream random = new(new RandomKey(Generator.Seed, RandomKey.StreamOf("random repair"), (ulong)number));
        Prescription[] all = [.. RemedyCatalog.All.SelectMany(remedy => remedy.Propose(model, new CaseHistory([.. findings, .. EveryCause]) { Data = data.Training }))];
        ModelDefinition best = model;
        double score = Trial.Score(model, data, pool, cancellation);
        for (int trial = 0; trial < trials && all.Length > 0; trial++)
        {
            try
            {
                ModelDefinition candidate = all[random.NextInt32(all.Length)].Rewrite(model);
                double reached = Trial.Score(candidate, data, pool, cancellation);
                (best, score) = reached > score ? (candidate, reached) : (best, score);
            }
            catch (GraphException)
            {
                // A remedy that cannot be applied was a trial, too.
            }
        }
        return best;
    }

    /// <summary>Chance is not told the cause: remedies that ask for one get each.</summary>
    private static readonly Finding[] EveryCause =
    [
        .. new[] { Causes.Vanishing, Causes.Exploding, Causes.DeadRelu, Causes.Saturation, Causes.LearningRateTooSmall, Causes.LearningRateTooLarge, Causes.WrongOutputOrLoss, Causes.UnscaledInput, Causes.BadInitialization, Causes.Numerical, Causes.Other }
            .Select(cause => new Finding
            {
                Rule = "", Problem = "", Severity = Severity.Warning, Cause = cause, Layers = [], Step = 0, Confidence = 0, Explanation = "",
                Evidence = ImmutableSortedDictionary<string, Evidence>.Empty,
            }),
    ];
}
