namespace Fathom.Training.Schedules;

/// <summary>On which curve a rate moves from one value to another.</summary>
public enum Annealing
{
    Cosine,
    Linear,
}

/// <summary>
/// One cycle over the whole run: from 1/<paramref name="StartDivisor"/> up to 1, the optimizer's learning rate, then
/// down to 1/(<paramref name="StartDivisor"/>·<paramref name="EndDivisor"/>). In three phases it comes down as slowly
/// as it went up, and then fades out. Smith and Topin 2017; phases as in PyTorch.
/// </summary>
/// <param name="RisingShare">Share of the run in which the rate rises; between 0 and 1, in three phases at most 0.5.</param>
/// <param name="StartDivisor">The rate starts at 1/divisor; 1 or more.</param>
/// <param name="EndDivisor">It ends at start/divisor; 1 or more.</param>
/// <param name="Annealing">The curve between.</param>
/// <param name="ThreePhase">Whether the fall is as long as the rise.</param>
public sealed record OneCycleSchedule(double RisingShare = 0.3, double StartDivisor = 25, double EndDivisor = 1e4, Annealing Annealing = Annealing.Cosine, bool ThreePhase = false) : Schedule
{
    public override string Kind => "one_cycle";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double first = 1 / StartDivisor;
        double last = first / EndDivisor;
        double top = RisingShare * totalSteps - 1;
        double end = totalSteps - 1;
        if (step <= top)
        {
            return Between(first, 1, step, 0, top);
        }
        if (!ThreePhase)
        {
            return Between(1, last, step, top, end);
        }
        double down = 2 * RisingShare * totalSteps - 2;
        return step <= down ? Between(1, first, step, top, down) : Between(first, last, step, down, end);
    }

    public override void Validate()
    {
        double most = ThreePhase ? 0.5 : 1;
        Require(RisingShare > 0 && RisingShare <= most, "rising_share", RisingShare, FormattableString.Invariant($"greater than 0 and at most {most}"));
        Require(StartDivisor >= 1 && !double.IsInfinity(StartDivisor), "start_divisor", StartDivisor, "1 or more and finite");
        Require(EndDivisor >= 1 && !double.IsInfinity(EndDivisor), "end_divisor", EndDivisor, "1 or more and finite");
    }

    private double Between(double start, double end, double step, double from, double to)
    {
        double progress = to > from ? Math.Clamp((step - from) / (to - from), 0, 1) : 1;
        return Annealing == Annealing.Linear ? start + (end - start) * progress : CosineBetween(start, end, progress);
    }
}
