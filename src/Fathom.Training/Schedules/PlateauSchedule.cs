namespace Fathom.Training.Schedules;

/// <summary>Which way a metric gets better.</summary>
public enum Better
{
    /// <summary>The smaller the better, as a loss.</summary>
    Smaller,

    /// <summary>The larger the better, as accuracy.</summary>
    Larger,
}

/// <summary>
/// Lowers the factor to max(<paramref name="Gamma"/>·factor, <paramref name="Floor"/>) when a metric, reported after
/// each epoch, has stopped getting better; PyTorch's ReduceLROnPlateau. The factor itself lives in a <see
/// cref="PlateauState"/>.
/// </summary>
/// <param name="Gamma">Factor of each fall; greater than 0, below 1.</param>
/// <param name="Patience">Epochs without progress that are put up with; 0 or more.</param>
/// <param name="Better">Which way the metric gets better.</param>
/// <param name="Threshold">Least progress that counts; 0 or more.</param>
/// <param name="Relative">Whether the threshold is a share of the best value so far.</param>
/// <param name="Cooldown">Epochs after a fall in which nothing is counted; 0 or more.</param>
/// <param name="Floor">Lowest factor; from 0 to 1.</param>
/// <param name="LeastChange">A fall by less than this does not happen; 0 or more.</param>
public sealed record PlateauSchedule(double Gamma = 0.1, int Patience = 10, Better Better = Better.Smaller, double Threshold = 1e-4,
    bool Relative = true, int Cooldown = 0, double Floor = 0, double LeastChange = 1e-8) : Schedule
{
    public override string Kind => "plateau";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) => 1;

    public override PlateauState CreateFeedback() => new(this);

    public override void Validate()
    {
        Require(Gamma > 0 && Gamma < 1, "gamma", Gamma, "between 0 and 1");
        Require(Patience >= 0, "patience", Patience, "0 or more");
        Require(Threshold >= 0 && !double.IsInfinity(Threshold), "threshold", Threshold, "0 or more and finite");
        Require(Cooldown >= 0, "cooldown", Cooldown, "0 or more");
        RequireFloor(Floor);
        Require(LeastChange >= 0 && !double.IsInfinity(LeastChange), "least_change", LeastChange, "0 or more and finite");
    }
}

/// <summary>What a <see cref="PlateauSchedule"/> remembers.</summary>
public sealed class PlateauState(PlateauSchedule schedule)
{
    private double best = schedule.Better == Better.Smaller ? double.PositiveInfinity : double.NegativeInfinity;
    private int waited;
    private int cooling;

    /// <summary>Numbers of the whole state.</summary>
    public const int StateLength = 4;

    /// <summary>Which way the metric gets better: a loss or an accuracy has to be reported.</summary>
    public Better Better => schedule.Better;

    /// <summary>Factor on the learning rate.</summary>
    public double Factor { get; private set; } = 1;

    /// <summary>Tells the metric after an epoch. NaN is no progress.</summary>
    public void Report(double metric)
    {
        if (IsBetter(metric))
        {
            best = metric;
            waited = 0;
        }
        else
        {
            waited++;
        }
        if (cooling > 0)
        {
            cooling--;
            waited = 0;
        }
        if (waited > schedule.Patience)
        {
            double next = Math.Max(Factor * schedule.Gamma, schedule.Floor);
            Factor = Factor - next > schedule.LeastChange ? next : Factor;
            cooling = schedule.Cooldown;
            waited = 0;
        }
    }

    /// <summary>The whole state, for a checkpoint.</summary>
    public double[] Export()
    {
        double[] state = new double[StateLength];
        Export(state);
        return state;
    }

    /// <summary>The same into memory of the caller's, of <see cref="StateLength"/> numbers.</summary>
    public void Export(Span<double> state) => (state[0], state[1], state[2], state[3]) = (Factor, best, waited, cooling);

    /// <summary>Goes on from an exported state.</summary>
    /// <exception cref="TrainingException">Not four numbers.</exception>
    public void Import(IReadOnlyList<double> state)
    {
        if (state.Count != StateLength)
        {
            throw new TrainingException($"the checkpoint has {state.Count} numbers for the plateau schedule; it needs 4");
        }
        (Factor, best, waited, cooling) = (state[0], state[1], (int)state[2], (int)state[3]);
    }

    private bool IsBetter(double metric) => (schedule.Better, schedule.Relative) switch
    {
        (Better.Smaller, true) => metric < best * (1 - schedule.Threshold),
        (Better.Smaller, false) => metric < best - schedule.Threshold,
        (_, true) => metric > best * (1 + schedule.Threshold),
        _ => metric > best + schedule.Threshold,
    };
}
