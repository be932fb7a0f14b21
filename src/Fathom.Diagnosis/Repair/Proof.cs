using System.Collections.Immutable;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>What the comparison over seeds came to.</summary>
/// <param name="Pairs">One for each seed.</param>
/// <param name="Diverged">Whether the mended network diverged with a seed.</param>
/// <param name="Accepted">Whether the cure is proven.</param>
/// <param name="Hopeless">Whether with some seed the cure is no better than the control after a quarter of the budget, although the candidate showed by then.</param>
/// <param name="Gain">Mean gain.</param>
/// <param name="Spread">Standard deviation over seeds, of control or mended, the larger.</param>
/// <param name="Rung">Where the comparison ended, an index of <see cref="TrialRace.Rungs"/>.</param>
/// <param name="ControlEnd">What the control with its own seed comes to at the end; null if the controls had learnt nothing.</param>
internal sealed record ProofResult(ImmutableArray<Pair> Pairs, bool Diverged, bool Accepted, bool Hopeless, double Gain, double Spread, int Rung, double? ControlEnd)
{
    /// <summary>Whether it is accepted, and with each seed it learns about as well as the candidate did, or half of what there is to learn.</summary>
    public bool IsSure { get; init; }

    /// <summary>Whether all that speaks against the cure is that a control has more steps behind it.</summary>
    public bool IsBehindEnd { get; init; }

    /// <summary>Whether the cure went well with one seed and not with another: its steps may be too long.</summary>
    public bool IsUneven => Diverged || Differ(Pairs);

    /// <summary>Whether cures have come much farther with one seed than with another.</summary>
    public static bool Differ(ImmutableArray<Pair> pairs) => pairs.Max(pair => pair.Mended) - pairs.Min(pair => pair.Mended) > Uneven;

    private const double Uneven = 0.25;

    /// <summary>Which network could not be trained with which seed, and why: there is nothing to compare then; null if all could.</summary>
    public string? Failure { get; init; }
}

/// <summary>
/// Control and cure over seeds, and on rows, that had no part in the choice. A sequential test: both are carried on until
/// the difference is decided, at most to the end of the budget.
/// </summary>
/// <param name="model">The network as given.</param>
/// <param name="mended">The cure.</param>
/// <param name="data">Rows that had no part in the choice.</param>
/// <param name="options">How thorough to be.</param>
/// <param name="workers">Runs side by side.</param>
/// <param name="fullRun">Work of one full run of the network as given.</param>
/// <param name="cost">Takes what it costs.</param>
/// <param name="report">Told how far it is.</param>
/// <param name="before">A proof of another cure of the same network: its controls serve again.</param>
/// <param name="isSick">Whether an error was found in the network. Only then is a control that has learnt nothing by its first stop taken for one that never will; any network knows little that early.</param>
internal sealed class Proof(ModelDefinition model, ModelDefinition mended, DataSplit data, DoctorOptions options, SideBySide workers, double fullRun, CostBook cost, Action<DoctorProgress> report, Proof? before = null, bool isSick = true) : IDisposable
{
    /// <summary>A quarter of the budget: from there on a cure that does not show with a seed ends the proof, and one that does is not asked how far it comes.</summary>
    private const int FirstDoubt = 2, Enough = 2;

    private const int HalfWay = 3;

    /// <summary>How far a seed may stay behind the candidate's own.</summary>
    private const double Lag = 0.15;

    /// <summary>What a proof of networks that stay at a guess for long may cost more, in full runs.</summary>
    private const double Waiting = 0.5;

    private readonly bool plateau = Plateau.IsUsual(model.Graph);

    /// <summary>Whether only the cures are carried on.</summary>
    private bool alone;

    private readonly Side[] sides =
    [
        .. Enumerable.Range(1, Math.Max(1, options.Seeds)).Select(i => model.Plan.Seed + (ulong)i)
            .SelectMany(seed => new[] { before?.sides.First(side => !side.Mended && side.Seed == seed) ?? new Side(false, seed, 1), new Side(true, seed, StepWork.FullRun(mended, data.Training.Count) / fullRun) }),
    ];

    /// <summary>
    /// Accepted only if the cure knows more than a guess and is better with each seed, by more than the seeds differ among themselves and than chance
    /// explains; and if controls that learn something could still catch up, by more than chance above the end of one. From
    /// stop to stop all seeds are carried on until that is decided and each comes along as the candidate did, or as far as an
    /// examination may go.
    /// </summary>
    /// <param name="decided">Where the candidate was first seen to lead: no cure is given up before, and one that may stay at a guess for long not before the next stop.</param>
    /// <param name="learnt">What the candidate had come to at a stop; null if that is not known, or was nothing.</param>
    /// <param name="controlEnd">What the control with its own seed comes to on the rows that prove, given what the cure has reached there.</param>
    /// <param name="cancellation">Ends it.</param>
    public ProofResult Run(int decided, Func<int, double?> learnt, Func<double, double> controlEnd, CancellationToken cancellation)
    {
        // With another seed the guess may last twice as long.
        decided += plateau ? 1 : 0;
        int at = options.Thorough ? TrialRace.Rungs.Length - 1 : 0;
        for (; ; at++)
        {
            // From half the budget on seed by seed: one that speaks against the cure spares the others.
            foreach (Side[] part in options.Thorough || at < HalfWay ? [sides] : sides.Chunk(2))
            {
                Advance(part, at, cancellation);
                if (part.Length < sides.Length && at >= decided && !(part[1].Now!.Metric > part[0].Now!.Metric))
                {
                    break;
                }
            }
            bool last = at == TrialRace.Rungs.Length - 1 || !Affordable(at + 1);
            ProofResult result = Judge(at, decided, learnt(at), last || at >= Enough, controlEnd);
            if (last && at < TrialRace.Rungs.Length - 1 && result is { Accepted: false, Hopeless: false, IsBehindEnd: true })
            {
                // The end of a control is known: how the other controls get there matters less than whether the cures come past it.
                alone = true;
                last = !Affordable(at + 1);
            }
            if (result.Diverged || result.Hopeless || result.Failure is not null || last || result.Accepted)
            {
                return result;
            }
        }
    }

    /// <summary>Whether all seeds can be carried on to a rung within what an examination may cost; more for a cure whose steps take more work.</summary>
    private bool Affordable(int rung) => options.Thorough || cost.Sum.Total + sides.Where(side => GoesOn(side, rung)).Sum(side => Math.Max(0, TrialRace.Rungs[rung] - (side.Now?.Share ?? 0)) * side.Work) <= options.ProofLimit + Math.Max(0, sides.Max(side => side.Work) - 1) + (plateau ? Waiting : 0);

    public void Dispose()
    {
        foreach (Side side in sides)
        {
            side.Run?.Dispose();
            side.Run = null; // a control may be in two proofs
        }
    }

    private void Advance(Side[] part, int rung, CancellationToken cancellation)
    {
        int done = 0;
        workers.Run(part, cancellation, side =>
        {
            if (GoesOn(side, rung))
            {
                side.Run ??= Start(side);
                side.Now = side.Run.Attempt(TrialRace.Rungs[rung], data.Validation, cancellation);
            }
            report(new DoctorProgress(DoctorStage.Confirmation, $"seed {side.Seed}", (double)Interlocked.Increment(ref done) / part.Length));
        });
    }

    /// <summary>
    /// A control that has learnt nothing up to the first stop is not asked again; one that learns gets as many steps as the cure.
    /// Where networks guess for long before they learn, the control with its own seed stands for those: see <see cref="Dead"/>.
    /// </summary>
    private bool GoesOn(Side side, int rung) => side.Mended || side.Now is null || options.Thorough || (!alone && side.Now.Share < TrialRace.Rungs[rung] && !HasLearntNothing(side.Now));

    private MeteredRun Start(Side side)
    {
        ModelDefinition seeded = side.Mended ? mended : model;
        return new MeteredRun(Piece.OfProof(mended, side.Mended, side.Seed), seeded with { Plan = seeded.Plan with { Seed = side.Seed } }, data, null, fullRun, cost, DoctorStage.Confirmation);
    }

    /// <param name="rung">The stop.</param>
    /// <param name="decided">No cure is given up before this one.</param>
    /// <param name="learnt">What the candidate had come to here.</param>
    /// <param name="enough">Whether a cure is accepted though with some seed it does not come along as the candidate did.</param>
    /// <param name="controlEnd">Tells what the control comes to; not asked before it matters.</param>
    private ProofResult Judge(int rung, int decided, double? learnt, bool enough, Func<double, double> controlEnd)
    {
        Side[] compared = [.. sides.Where(side => side.Now is not null)];
        Measurement[] controls = [.. compared.Where(side => !side.Mended).Select(side => side.Now!)], cures = [.. compared.Where(side => side.Mended).Select(side => side.Now!)];
        ImmutableArray<Pair> pairs = [.. compared.Where(side => !side.Mended).Select((side, i) => new Pair(side.Seed, controls[i].Metric, cures[i].Metric, controls[i].Diverged) { ControlSteps = controls[i].Steps, MendedSteps = cures[i].Steps })];
        double gain = pairs.Average(pair => pair.Mended - pair.Control), reached = cures.Average(cure => cure.Metric), chance = Tolerance.Of(reached, data.Validation);
        double differ = Tolerance.Spread([.. pairs.Select(pair => pair.Mended)]), spread = Math.Max(Tolerance.Spread([.. pairs.Select(pair => pair.Control)]), differ);
        bool diverged = cures.Any(cure => cure.Diverged);
        string? failure = compared.Select(side => side.Now!.Failure is { } why ? $"{(side.Mended ? "it" : "the network as it is")} cannot be trained with seed {side.Seed}: {why}" : null).FirstOrDefault(why => why is not null);
        // What only guesses more luckily is no cure.
        bool knows = reached > Tolerance.Ignorance(data.Validation) + chance;
        bool better = !diverged && failure is null && knows && pairs.All(pair => pair.Mended > pair.Control) && gain > Math.Max(spread, chance);
        // Early on seeds may differ by how fast they learn, or because one of them will not: more steps tell.
        bool keeps = cures.All(cure => Keeps(cure, learnt)) && (rung >= Enough || !ProofResult.Differ(pairs));
        bool hopeless = !options.Thorough && ((rung >= Math.Max(FirstDoubt, decided) && pairs.Any(pair => !(pair.Mended > pair.Control))) || (rung > 0 && learnt is not null && cures.Any(Dead)));
        better &= keeps || enough || hopeless;
        double? end = better && !options.Thorough && !controls.All(Dead) ? controlEnd(reached) : null;
        // How controls differ half way says nothing of how they differ at the end: the margin is that of the cures.
        bool accepted = better && (end is not { } control || reached > control + Math.Max(differ, 2 * chance));
        return new ProofResult(pairs, diverged, accepted, hopeless, gain, spread, rung, end) { Failure = failure, IsSure = accepted && keeps, IsBehindEnd = better && !accepted };
    }

    /// <summary>It has learnt half of what there is to learn, or comes along as the candidate did.</summary>
    private bool Keeps(Measurement cure, double? candidate) => !cure.Diverged
        && (cure.Metric >= (1 + Tolerance.Ignorance(data.Validation)) / 2 || cure.Metric >= candidate - Math.Max(Lag, 4 * Tolerance.Of(cure.Metric, data.Validation)));

    private bool HasLearntNothing(Measurement control) => (isSick || control.Diverged) && control.Dead(Tolerance.Ignorance(data.Validation), Tolerance.Of(control.Metric, data.Validation));

    /// <summary>It has learnt nothing, and never will.</summary>
    private bool Dead(Measurement control) => (control.Diverged || !plateau) && HasLearntNothing(control);

    private sealed class Side(bool mended, ulong seed, double work)
    {
        /// <summary>Its full run, in those of the network as given.</summary>
        public double Work => work;

        public bool Mended => mended;

        public ulong Seed => seed;

        public MeteredRun? Run { get; set; }

        public Measurement? Now { get; set; }
    }
}
