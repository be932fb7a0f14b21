using System.Globalization;

namespace Fathom.Dashboard.Charts;

/// <summary>A mark on an axis.</summary>
/// <param name="Position">0 at the axis' start, 1 at its end.</param>
/// <param name="Label">What is written beside it.</param>
internal readonly record struct Tick(double Position, string Label);

/// <summary>Places values on an axis from 0 to 1.</summary>
internal abstract class Scale
{
    public abstract IReadOnlyList<Tick> Ticks { get; }

    /// <summary>0 at the axis' start, 1 at its end; values outside are held at the ends. The value must be one that <see cref="CanShow"/>.</summary>
    public double Place(double value) => Math.Clamp(Raw(value), 0, 1);

    /// <summary>Whether the value has a place on this axis: finite, and above 0 on a logarithmic one.</summary>
    public abstract bool CanShow(double value);

    protected abstract double Raw(double value);
}

/// <summary>An even axis whose ticks are multiples of 1, 2 or 5 times a power of ten.</summary>
internal sealed class LinearScale : Scale
{
    // Keeps differences of two ends finite.
    private const double Largest = 1e300;

    // A span below this has no ticks that double precision could tell apart.
    private const double Smallest = 1e-290;

    private readonly double _from;
    private readonly double _to;

    public LinearScale(double from, double to, bool wholeNumbers = false, int ticks = 5)
    {
        (from, to) = (Math.Clamp(from, -Largest, Largest), Math.Clamp(to, -Largest, Largest));
        if (!(to - from >= Math.Max(Smallest, Math.Abs(from) * 1e-12)))
        {
            double half = wholeNumbers || Math.Abs(from) < 10 * Smallest ? 1 : Math.Abs(from) * 0.1;
            (from, to) = (from - half, to + half);
        }

        (_from, _to) = (from, to);
        Ticks = [.. MakeTicks(wholeNumbers, ticks)];
    }

    public override IReadOnlyList<Tick> Ticks { get; }

    /// <summary>A scale over all finite values, a little wider than they are, and from 0 where that costs no room.</summary>
    public static LinearScale Around(IEnumerable<double> values)
    {
        (double low, double high) = Extent(values.Where(double.IsFinite));
        if (double.IsNaN(low))
        {
            return new LinearScale(0, 1);
        }

        double room = (high - low) * 0.05;
        bool fromZero = low >= 0 && low <= (high - low) * 0.5;
        return new LinearScale(fromZero ? 0 : low - room, high + room);
    }

    /// <summary>Least and greatest value; NaN twice when there is none.</summary>
    public static (double Low, double High) Extent(IEnumerable<double> values)
    {
        (double low, double high) = (double.NaN, double.NaN);
        foreach (double value in values)
        {
            low = low <= value ? low : value;
            high = high >= value ? high : value;
        }

        return (low, high);
    }

    public override bool CanShow(double value) => double.IsFinite(value);

    protected override double Raw(double value) => (value - _from) / (_to - _from);

    private IEnumerable<Tick> MakeTicks(bool wholeNumbers, int count)
    {
        double rough = (_to - _from) / count;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = (rough / power) switch { <= 1.5 => 1, <= 3.5 => 2, <= 7.5 => 5, _ => 10 } * power;
        step = wholeNumbers ? Math.Max(1, Math.Round(step)) : step;
        int decimals = (int)Math.Clamp(Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 20);
        for (double i = Math.Ceiling((_from / step) - 1e-9); i * step <= _to + (step * 1e-9); i++)
        {
            yield return new Tick(Place(i * step), Label(i * step, step, decimals, wholeNumbers));
        }
    }

    private static string Label(double value, double step, int decimals, bool wholeNumbers) => value switch
    {
        0 => "0",
        _ when wholeNumbers && Math.Abs(value) < 1e15 => NumberText.Count((long)Math.Round(value)),
        _ when step < 1e-4 || Math.Abs(value) >= 1e5 => NumberText.Short(value, digits: 6),
        _ => value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
    };
}

/// <summary>A logarithmic axis; its ticks are whole powers of ten, closer ones only where it spans hardly any.</summary>
internal sealed class LogScale : Scale
{
    private const int MostTicks = 8;

    private readonly double _from;
    private readonly double _to;

    /// <param name="from">log10 of the start.</param>
    /// <param name="to">log10 of the end.</param>
    public LogScale(double from, double to)
    {
        double missing = 1 - (to - from);
        (_from, _to) = missing > 0 ? (from - (missing / 2), to + (missing / 2)) : (from, to);
        Ticks = [.. MakeTicks()];
    }

    public override IReadOnlyList<Tick> Ticks { get; }

    /// <summary>A scale over all values that are finite and above 0, and a little wider.</summary>
    public static LogScale Around(IEnumerable<double> values)
    {
        (double low, double high) = LinearScale.Extent(values.Where(value => value > 0 && double.IsFinite(value)).Select(Math.Log10));
        double room = (high - low) * 0.03;
        return double.IsNaN(low) ? new LogScale(-1, 1) : new LogScale(low - room, high + room);
    }

    public override bool CanShow(double value) => value > 0 && double.IsFinite(value);

    protected override double Raw(double value) => (Math.Log10(value) - _from) / (_to - _from);

    private double PlaceExponent(double exponent) => (exponent - _from) / (_to - _from);

    private IEnumerable<Tick> MakeTicks()
    {
        int first = (int)Math.Ceiling(_from - 1e-9);
        int last = (int)Math.Floor(_to + 1e-9);
        int stride = 1;
        foreach (int candidate in (int[])[1, 2, 5, 10, 20, 50, 100])
        {
            stride = candidate;
            if ((last - first) / candidate < MostTicks)
            {
                break;
            }
        }

        bool dense = last - first < 2;
        for (int exponent = first - 1; exponent <= last; exponent++)
        {
            if (exponent >= first && exponent % stride == 0)
            {
                yield return new Tick(PlaceExponent(exponent), dense || exponent is > -3 and < 4 ? NumberText.Short(Math.Pow(10, exponent)) : NumberText.PowerOfTen(exponent));
            }

            foreach (int digit in dense ? (int[])[2, 5] : [])
            {
                double place = exponent + Math.Log10(digit);
                if (place >= _from && place <= _to)
                {
                    yield return new Tick(PlaceExponent(place), NumberText.Short(digit * Math.Pow(10, exponent)));
                }
            }
        }
    }
}
