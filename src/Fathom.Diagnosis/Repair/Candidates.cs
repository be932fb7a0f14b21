using System.Collections.Concurrent;
using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Which remedies come into question, and in which order: what the finding's cause asks for first, then what theory thinks
/// most of, then the mildest.
/// </summary>
internal sealed class Candidates
{
    /// <summary>Decades over the whole depth within which a gradient counts as flat.</summary>
    private const double Flat = 1;

    /// <summary>Decades from which on theory says by itself that the network is sick.</summary>
    private const double Broken = 2;

    /// <summary>Steps of a run below which a network that learns slowly is tried with smaller batches.</summary>
    private const int FewSteps = 1000;

    private const string Initialization = "initialization";

    private static readonly Remedy Rate = RemedyCatalog.All.First(remedy => remedy is LearningRateChange);

    private static readonly Remedy Adam = RemedyCatalog.All.First(remedy => remedy is AdamOptimizer);

    private static readonly Remedy Decay = RemedyCatalog.All.First(remedy => remedy is RateDecay);

    /// <summary>What a rule names; where steps of the wrong length are the cause of what it sees, their length first.</summary>
    private static IEnumerable<string> Named(Finding finding) => IsOfRate(finding) ? finding.Remedies.Prepend(Rate.Kind) : finding.Remedies;

    private static bool IsOfRate(Finding finding) => finding.Cause is Causes.LearningRateTooLarge or Causes.LearningRateTooSmall && finding.Remedies.Contains(Rate.Kind);

    /// <summary>What only a remedy answers whose precondition is a fault in itself.</summary>
    private static readonly Finding Nothing = new()
    {
        Rule = "", Problem = "", Severity = Severity.Info, Cause = Causes.None, Layers = [], Step = 0, Confidence = 0, Explanation = "",
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty,
    };

    private readonly ModelDefinition model;
    private readonly DataSet data;
    private readonly SideBySide workers;
    private readonly CaseHistory history;

    /// <summary>Of a network that learns, but slowly.</summary>
    private readonly CaseHistory slow;

    private readonly Dictionary<string, int> wish = [];
    private readonly ConcurrentDictionary<string, double> predicted = new();
    private readonly ConcurrentDictionary<string, string> made = new();
    private readonly double sickDecades;

    /// <param name="model">The network as given.</param>
    /// <param name="history">What was found in the control's run, causes first.</param>
    /// <param name="data">Its training data.</param>
    /// <param name="workers">Where theory is asked for several candidates at once.</param>
    public Candidates(ModelDefinition model, CaseHistory history, DataSet data, SideBySide workers)
    {
        (this.model, this.history, this.data, this.workers) = (model, history, data, workers);
        slow = new CaseHistory([Nothing with { Cause = Causes.LearningRateTooSmall }, Nothing with { Cause = Causes.Vanishing }]) { Data = data };
        // What is wrong in itself, whatever the finding says, then what rules ask for, then what is made for the cause.
        Remedy[] catalog = [.. RemedyCatalog.All];
        string[] plain = [.. catalog.GroupBy(remedy => remedy.Kind).Where(kind => kind.All(remedy => remedy.Answers(Nothing))).Select(kind => kind.Key)];
        Finding[] worst = [.. history.Findings.OrderByDescending(finding => finding.Severity)];
        string[] fitting = [.. worst.SelectMany(finding => catalog.Where(remedy => remedy.Answers(finding)).Select(remedy => remedy.Kind))];
        // A warning that steps have the wrong length is not left until all else has been tried.
        string[] second = worst.Any(finding => finding.Severity > Severity.Info && IsOfRate(finding)) ? [Rate.Kind] : [];
        foreach (string kind in plain.Concat(worst.SelectMany(Named).Take(1)).Concat(second).Concat(worst.SelectMany(Named)).Concat(fitting))
        {
            wish.TryAdd(kind, wish.Count);
        }
        made[JournalKey.OfModel(model)] = "";
        sickDecades = Math.Abs(Decades(model));
    }

    /// <summary>Whether steps that were too long made the network sick.</summary>
    public bool StepsWereTooLong => history.Findings.Any(finding => finding.Severity == Severity.Error && finding.Cause == Causes.LearningRateTooLarge);

    /// <summary>Whether first steps say little of the network.</summary>
    public bool StartsOnPlateau => Plateau.IsUsual(model.Graph);

    /// <summary>Whether an error that was found asks for each remedy of a candidate.</summary>
    public bool IsNamed(Trial trial) => trial.Remedies.All(part => history.Findings.Any(finding => finding.Severity == Severity.Error && finding.Remedies.Contains(part.Remedy.Kind)));

    /// <summary>Whether a cure leaves an optimizer with settings that are a fault in themselves.</summary>
    public bool LeavesSettings(ImmutableArray<Prescription> cure) => RemedyCatalog.All.Any(remedy => remedy is OptimizerSettings && remedy.Propose(Apply(cure), history).Any());

    /// <summary>Remedies that could not be applied to this network, with the reason as their fate.</summary>
    public List<Trial> Impossible { get; } = [];

    /// <summary>Each remedy alone. One that makes it worse by theory is left out.</summary>
    public List<Trial> Singles() => Ranked([.. RemedyCatalog.All.Where(Indicated).SelectMany(remedy => remedy.Propose(model, history)).Select(prescription => ImmutableArray.Create(prescription))]);

    /// <summary>What makes most networks learn faster, whatever was found: for one that what was found has not led to a cure.</summary>
    public List<Trial> General() => Ranked([.. Quickened([])]);

    /// <summary>Steps of another length, whatever was found.</summary>
    public List<Trial> Rates() => Ranked([.. Rate.Propose(model, new CaseHistory([Nothing with { Cause = Causes.LearningRateTooLarge }, Nothing with { Cause = Causes.LearningRateTooSmall }]) { Data = data }).Select(rate => ImmutableArray.Create(rate))]);

    /// <summary>
    /// Two remedies of different kinds, the second proposed for what the first has made of the network. First come those
    /// that need each other by theory (ReLU with Xavier weights still vanishes, with He weights it does not), then those
    /// whose parts did well alone. No remedy takes more than a quarter of the places, so that the trials stay diverse.
    /// </summary>
    public List<Trial> Pairs(IReadOnlyList<Trial> singles, int most)
    {
        Dictionary<string, Trial> alone = singles.ToDictionary(trial => trial.Name);
        List<ImmutableArray<Prescription>> pairs = [.. RemedyCatalog.All.Where(Wanted).SelectMany(first => first.Propose(model, history)).SelectMany(first => Extended([first]))];
        // Theory is asked about the most promising only: with many remedies there are hundreds of pairs.
        IEnumerable<ImmutableArray<Prescription>> likely = pairs.OrderByDescending(pair => pair.Max(remedy => Worth(alone, remedy))).ThenBy(pair => pair.Sum(Prior)).Take(4 * most);
        return Diverse(Ranked([.. likely])
            .OrderByDescending(trial => Math.Abs(trial.PredictedDecades) < Flat)
            .ThenByDescending(trial => trial.Remedies.All(remedy => !(Math.Abs(alone.GetValueOrDefault(remedy.Name)?.PredictedDecades ?? double.NaN) < Flat)))
            .ThenByDescending(trial => trial.Remedies.Max(remedy => Worth(alone, remedy))), most);
    }

    /// <summary>The best pairs with a third remedy.</summary>
    public List<Trial> Triples(IEnumerable<Trial> best, int most) =>
        Diverse(Ranked([.. best.SelectMany(pair => Extended(pair.Remedies))]), most);

    /// <summary>The same cure with its learning rate times a factor.</summary>
    public ImmutableArray<Prescription> AtPace(ImmutableArray<Prescription> cure, double factor) => WithRate(cure, AtRate(Round(Apply(cure).Plan.Optimizer.LearningRate * factor)));

    /// <summary>
    /// The same cure with a learning rate that falls over the run, from a multiple of its own; null if its schedule falls
    /// already. Rate and fall are one remedy: how long steps are, from the first to the last. In a recurrent network
    /// a raised rate falls from the start: what it bears for a quarter of its run it may not bear for more than half of it.
    /// </summary>
    public ImmutableArray<Prescription>? Falling(ImmutableArray<Prescription> cure, double factor)
    {
        if (Decay.Propose(Apply(cure), history).FirstOrDefault() is not { } fall)
        {
            return null;
        }
        Prescription start = AtPace(cure, factor)[^1];
        bool early = factor > 1 && StartsOnPlateau;
        return factor == 1 ? cure.Add(fall) : WithRate(cure, new Prescription(Rate, $"{start.Name} that falls on a cosine", old =>
        {
            ModelDefinition fallen = fall.Rewrite(start.Rewrite(old));
            return early ? FromTheStart(fallen) : fallen;
        }));
    }

    private static ModelDefinition FromTheStart(ModelDefinition model) => model with
    {
        Plan = model.Plan with
        {
            Schedule = model.Plan.Schedule switch
            {
                CosineSchedule fall => fall with { Hold = 0 },
                WarmupSchedule { Then: CosineSchedule fall } rise => rise with { Then = fall with { Hold = 0 } },
                { } other => other,
            },
        },
    };

    /// <summary>The same cure with Adam at three times its usual rate, which falls over the run; null if it has Adam, or another remedy for the optimizer.</summary>
    public ImmutableArray<Prescription>? WithAdam(ImmutableArray<Prescription> cure) => cure.All(part => part.Remedy.Kind != Adam.Kind) && Adam.Propose(Apply(cure), history).FirstOrDefault() is { } adam
        ? Falling(cure.Add(adam), 3) : null;

    /// <summary>
    /// The same cure with one remedy more, of those that make most networks learn faster: smaller batches where steps are few,
    /// in place of functions that saturate one that does not, normalization, fewer layers. For one that learns, and will not
    /// come far in the time it has.
    /// </summary>
    public IEnumerable<ImmutableArray<Prescription>> Quickened(ImmutableArray<Prescription> cure)
    {
        ModelDefinition model = Apply(cure);
        IEnumerable<Prescription> smaller = RemedyCatalog.All.OfType<BatchSizeChange>().Select(size => size.Smaller(model, slow, FewSteps)).OfType<Prescription>();
        IEnumerable<Prescription> open = HiddenLayers.Activations(model.Graph).Any(node => node.Op.Saturation is { High: < double.PositiveInfinity }) ? Variants<ActivationSwap>(model) : [];
        return new[] { smaller, open, Variants<BatchNormalization>(model), Variants<FewerLayers>(model) }.SelectMany(variants => Flattest(cure, variants));
    }

    private IEnumerable<Prescription> Variants<TRemedy>(ModelDefinition model) => RemedyCatalog.All.Where(remedy => remedy is TRemedy).SelectMany(remedy => remedy.Propose(model, slow));

    /// <summary>A cure with that one of some variants by which the gradient is flattest, as theory sees it to the decade; none if none can be applied, or the cure has one of the kind.</summary>
    private IEnumerable<ImmutableArray<Prescription>> Flattest(ImmutableArray<Prescription> cure, IEnumerable<Prescription> variants) =>
        variants.Where(further => cure.All(part => part.Remedy.Kind != further.Remedy.Kind)).Select(further => InOrder(cure, further)).Where(set => TryApply(set) is not null)
            .OrderBy(set => Math.Abs(Predict(set)) is >= 0 and var steep ? Math.Round(steep) : double.MaxValue).Take(1);

    /// <summary>With one more remedy, at its place in the catalog.</summary>
    private static ImmutableArray<Prescription> InOrder(ImmutableArray<Prescription> cure, Prescription further)
    {
        List<Remedy> order = [.. RemedyCatalog.All];
        return [.. cure.Append(further).OrderBy(part => order.IndexOf(part.Remedy))];
    }

    private static ImmutableArray<Prescription> WithRate(ImmutableArray<Prescription> cure, Prescription rate) => [.. cure.Where(part => part.Remedy.Kind != Rate.Kind), rate];

    private static Prescription AtRate(double rate) => new(Rate, $"learning rate {Figures.Number(rate)}", old => old with
    {
        Plan = old.Plan with { Optimizer = old.Plan.Optimizer with { LearningRate = rate } },
    });

    /// <summary>To two digits.</summary>
    private static double Round(double number)
    {
        double unit = Math.Pow(10, Math.Floor(Math.Log10(number)) - 1);
        return Math.Round(number / unit) * unit;
    }

    /// <summary>log10 of first over last layer's gradient that theory predicts for a cure; NaN if it cannot, or the cure cannot be applied.</summary>
    public double Predict(ImmutableArray<Prescription> remedies) => predicted.GetOrAdd(Trial.NameOf(remedies), _ => TryApply(remedies) is { } mended ? Decades(mended) : double.NaN);

    public ModelDefinition Apply(ImmutableArray<Prescription> remedies) => remedies.Aggregate(model, (mended, remedy) => remedy.Rewrite(mended));

    /// <summary>
    /// Where nothing was found that names a remedy, all are worth a try. A fall of the rate late in the run is invisible in a
    /// short one: a candidate gets it from its <see cref="Pace"/>.
    /// </summary>
    private bool Indicated(Remedy remedy) => remedy != Decay && (history.Findings.Any(remedy.Answers) || history.Findings.All(finding => finding.Remedies.IsEmpty && finding.Severity == Severity.Info));

    /// <summary>As part of a combination, other weights are worth a try even where no rule asks for them.</summary>
    private bool Wanted(Remedy remedy) => remedy.Kind == Initialization || Indicated(remedy);

    private int Prior(Prescription remedy) => wish.GetValueOrDefault(remedy.Remedy.Kind, wish.Count);

    private static double Worth(Dictionary<string, Trial> alone, Prescription remedy) =>
        alone.GetValueOrDefault(remedy.Name) is { } known && double.IsFinite(known.Metric) ? known.Metric : 0;

    /// <summary>
    /// With one more remedy of another kind, from further down the catalog: its order is the order of application:
    /// functions, structure, weights, training plan.
    /// </summary>
    private IEnumerable<ImmutableArray<Prescription>> Extended(ImmutableArray<Prescription> remedies)
    {
        if (TryApply(remedies) is not { } partly)
        {
            return [];
        }
        int last = RemedyCatalog.All.ToList().IndexOf(remedies[^1].Remedy);
        return RemedyCatalog.All.Skip(last + 1).Where(later => Wanted(later) && remedies.All(earlier => earlier.Remedy.Kind != later.Kind))
            .SelectMany(later => later.Propose(partly, history)).Select(remedies.Add);
    }

    private ModelDefinition? TryApply(ImmutableArray<Prescription> remedies)
    {
        try
        {
            return Apply(remedies);
        }
        catch (Exception error) when (error is GraphException or TrainingException or ArgumentException or ArithmeticException or InvalidOperationException)
        {
            Trial impossible = new() { Remedies = remedies, PredictedDecades = double.NaN, Fate = $"cannot be applied: {error.Message.ReplaceLineEndings(" ")}" };
            if (Impossible.All(known => known.Name != impossible.Name))
            {
                Impossible.Add(impossible);
            }
            return null;
        }
    }

    private List<Trial> Ranked(IReadOnlyCollection<ImmutableArray<Prescription>> sets)
    {
        (ImmutableArray<Prescription> Remedies, ModelDefinition Mended)[] possible = [.. sets.Select(set => (set, Mended: TryApply(set))).Where(pair => pair.Mended is not null).Select(pair => (pair.set, pair.Mended!))];
        possible = [.. possible.OrderBy(pair => pair.Remedies.Sum(Prior)).ThenBy(pair => pair.Remedies.Sum(part => (int)part.Remedy.Safety)).Where(IsNew)];
        workers.Run(possible, default, pair => predicted.GetOrAdd(Trial.NameOf(pair.Remedies), _ => Decades(pair.Mended)));
        Trial[] trials = [.. possible.Select(pair => new Trial { Remedies = pair.Remedies, PredictedDecades = predicted[Trial.NameOf(pair.Remedies)] }).Where(Helps)];
        // The first variant of each kind before the second of any: ten learning rates are one idea.
        Dictionary<string, int> variants = [];
        return
        [
            .. trials.OrderBy(Doubt).ThenBy(trial => trial.Remedies.Sum(Prior)).ThenBy(Unevenness).ThenBy(trial => trial.Invasiveness)
                .Select(trial => (Trial: trial, Doubt: Doubt(trial), Variant: Next(variants, $"{Doubt(trial)} {string.Join('+', trial.Remedies.Select(remedy => remedy.Remedy.Kind))}")))
                .OrderBy(item => item.Doubt).ThenBy(item => item.Variant).Select(item => item.Trial),
        ];
    }

    /// <summary>Two ways to one and the same network are one candidate, by the likelier name, and one that leaves it as it is is none: usual settings of an optimizer that is then replaced.</summary>
    private bool IsNew((ImmutableArray<Prescription> Remedies, ModelDefinition Mended) candidate)
    {
        string name = Trial.NameOf(candidate.Remedies);
        return made.GetOrAdd(JournalKey.OfModel(candidate.Mended), name) == name;
    }

    private static int Next(Dictionary<string, int> counts, string key) => counts[key] = counts.GetValueOrDefault(key) + 1;

    /// <summary>
    /// A rewrite of the network that leaves the gradient steep, and no flatter than it was, is not worth a run. What theory
    /// finds flat may be sick all the same: of layers that start at zero it expects nothing.
    /// </summary>
    private bool Helps(Trial trial) => trial.Remedies.All(item => item.Remedy.Safety == Safety.TrainingPlan)
        || double.IsNaN(trial.PredictedDecades) || double.IsNaN(sickDecades) || Math.Abs(trial.PredictedDecades) <= Math.Max(sickDecades, Broken) + 0.1;

    /// <summary>Where theory says that no gradient arrives, what does not change that comes last.</summary>
    private int Doubt(Trial trial) => !(sickDecades > Broken) || Math.Abs(trial.PredictedDecades) < Flat ? 0 : double.IsNaN(trial.PredictedDecades) ? 1 : 2;

    private static double Unevenness(Trial trial) => double.IsNaN(trial.PredictedDecades) ? double.MaxValue : Math.Round(Math.Abs(trial.PredictedDecades), 1);

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
    private double Decades(ModelDefinition candidate)
    {
        try
        {
            PropagationPrediction prediction = WatchedRun.Predict(candidate, data);
            return prediction.Depth.TotalDecades;
        }
        catch (Exception error) when (error is GraphException or ArgumentException or ArithmeticException or InvalidOperationException)
        {
            return double.NaN; // theory has nothing to say; the run will tell
        }
    }
}
