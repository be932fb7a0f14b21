using System.Collections.Concurrent;

namespace Fathom.Graphs.Ops;

/// <summary>
/// How a number passes through a network's nonlinear layers, given what one of them makes of it: the composition of
/// <paramref name="layer"/> along the paths of the network, or along those of the subnetwork for which the result is
/// largest. A plain chain of depth L applies it L times. A normalized residual sum w·x + √(1 − w²)·F(x) gives
/// w²·value + (1 − w²)·F(value), since both branches carry variance 1.
/// </summary>
/// <param name="value">What enters: a correlation, or the slope of a correlation map.</param>
/// <param name="layer">The map of one nonlinear layer.</param>
public delegate double NetworkMap(double value, Func<double, double> layer);

/// <summary>The tailored function y = OutputScale·(tanh(InputScale·x + InputShift) + OutputShift).</summary>
public readonly record struct TanhTailoring(double InputScale, double InputShift, double OutputScale, double OutputShift);

/// <summary>
/// Solves for activation functions that keep a very deep network's correlation map C_f in bounds, so that it trains
/// without normalization and without shortcuts: Deep Kernel Shaping (Martens et al. 2021) and tailored rectifiers (Zhang,
/// Botev and Martens 2022). The theory presumes weights of variance 1/fan-in and no bias. An op needs its numbers to run,
/// so this stands with the ops; it is all one-dimensional.
/// </summary>
public static class ActivationTailoring
{
    /// <summary>The deepest chain that is solved for; the time is proportional to it.</summary>
    public const int MostLayers = 100_000;

    /// <summary>The largest slope of one layer's correlation map that tanh is solved for.</summary>
    public const double MostLayerSlope = 4;

    private static readonly ConcurrentDictionary<(int Depth, double Target), double> Slopes = new();
    private static readonly ConcurrentDictionary<double, TanhTailoring> Tanhs = new();

    /// <summary>A chain of so many nonlinear layers.</summary>
    public static NetworkMap Chain(int depth) => (value, layer) =>
    {
        for (int i = 0; i < depth; i++)
        {
            value = layer(value);
        }
        return value;
    };

    /// <summary>
    /// The slope a of a leaky ReLU below 0 with which a chain's correlation map takes 0 to the target: C_f(0) = η (Zhang
    /// et al. 2022). Cached. 0 where even ReLU stays below the target, for the shallow need no tailoring; NaN
    /// for a depth outside 1 … <see cref="MostLayers"/> or a target outside (0, 1).
    /// </summary>
    public static double LeakyReluSlope(int depth, double target) =>
        depth is < 1 or > MostLayers || !(target > 0 && target < 1) ? double.NaN
        : Slopes.GetOrAdd((depth, target), static key => LeakyReluSlope(Chain(key.Depth), key.Target));

    /// <summary>The same for a network that is no plain chain.</summary>
    /// <param name="network">The subnetwork with the largest C_f(0); usually the whole network.</param>
    /// <param name="target">The correlation η that two orthogonal inputs shall have at its end, between 0 and 1.</param>
    public static double LeakyReluSlope(NetworkMap network, double target)
    {
        // C(c) = c + κ·g(c) with κ = (1 − a)²/(1 + a²), from 0 (linear) to 1 (ReLU): bisect in κ, in which C_f(0) rises.
        double Reached(double kappa) => network(0, c => Math.Min(1, c + kappa * ReluBend(c)));
        if (!(Reached(1) > target))
        {
            return 0;
        }
        (double low, double high) = (0, 1);
        for (int i = 0; i < 100 && high - low > 1e-16 * high; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = Reached(middle) < target ? (middle, high) : (low, middle);
        }
        double bend = (low + high) / 2;
        return (1 - bend) / (1 + Math.Sqrt(bend * (2 - bend)));
    }

    /// <summary>
    /// The local correlation map of a leaky ReLU of slope a: C(c) = c + (1 − a)²/(1 + a²)·(√(1 − c²) − c·arccos c)/π.
    /// </summary>
    public static double LeakyReluMap(double negativeSlope, double c) =>
        Math.Min(1, c + (1 - negativeSlope) * (1 - negativeSlope) / (1 + negativeSlope * negativeSlope) * ReluBend(c));

    /// <summary>
    /// The slope C'(1) that each layer's correlation map may have so that the network's has C_f'(1) = maxSlope; above 1.
    /// </summary>
    /// <param name="network">The subnetwork with the largest slope.</param>
    /// <param name="maxSlope">The network's slope ζ; above 1.</param>
    public static double LayerSlope(NetworkMap network, double maxSlope) =>
        // Slopes of a composition multiply, those of a weighted sum add up with its weights: the same map, begun at 1.
        Root(slope => network(1, value => slope * value) - maxSlope, 1, maxSlope);

    /// <summary>
    /// The tanh of Deep Kernel Shaping: Q(1) = 1 and Q'(1) = 1 (a variance of 1 stays, and deviations from it neither grow
    /// nor shrink), C(0) = 0 (mean 0), and C'(1) as given (Martens et al. 2021). Cached.
    /// </summary>
    /// <param name="layerSlope">C'(1) of one layer, above 1 and up to <see cref="MostLayerSlope"/>; NaN follows from others.</param>
    public static TanhTailoring Tanh(double layerSlope) =>
        layerSlope > 1 && layerSlope <= MostLayerSlope
            ? Tanhs.GetOrAdd(layerSlope, static slope => SolveTanh(slope))
            : new TanhTailoring(double.NaN, double.NaN, double.NaN, double.NaN);

    private static double ReluBend(double c) => (Math.Sqrt((1 - c) * (1 + c)) - c * Math.Acos(c)) / Math.PI;

    private static TanhTailoring SolveTanh(double layerSlope)
    {
        // Small scales a give C'(1) = 1 + a²/2 and tanh(shift) = 1/2, by expansion about a = 0; both rise with a.
        double guess = Math.Sqrt(2 * (layerSlope - 1));
        double scale = Root(a => TanhMaps.Of(a, Shift(a)).CorrelationSlope - layerSlope, guess / 2, guess * 2);
        double shift = Shift(scale);
        TanhMaps maps = TanhMaps.Of(scale, shift);
        return new TanhTailoring(scale, shift, 1 / Math.Sqrt(maps.Variance), -Math.Tanh(shift) - maps.Mean);
    }

    /// <summary>The shift that makes Q'(1) = 1.</summary>
    private static double Shift(double scale)
    {
        double high = 1;
        while (TanhMaps.Of(scale, high).LengthSlope < 1)
        {
            high *= 2;
        }
        return Root(shift => TanhMaps.Of(scale, shift).LengthSlope - 1, 0, high);
    }

    /// <summary>Root of a rising function by false position, the stale end halved (the Illinois rule); the high end is moved out if need be.</summary>
    private static double Root(Func<double, double> f, double low, double high)
    {
        double below = f(low);
        double above = f(high);
        for (; above < 0; above = f(high))
        {
            (low, below, high) = (high, above, 2 * high);
        }
        int side = 0;
        for (int i = 0; i < 200 && high - low > 1e-15 * high && above - below > 0; i++)
        {
            double middle = low - below * (high - low) / (above - below);
            double value = f(middle);
            if (value == 0 || middle <= low || middle >= high)
            {
                return middle;
            }
            if (value < 0)
            {
                (low, below) = (middle, value);
                above = side < 0 ? above / 2 : above;
                side = -1;
            }
            else
            {
                (high, above) = (middle, value);
                below = side > 0 ? below / 2 : below;
                side = 1;
            }
        }
        return (low + high) / 2;
    }

    /// <summary>
    /// Moments of w(z) = tanh(scale·z + shift) − tanh(shift) for z from N(0, 1), and the slopes of the maps that follow
    /// once w is centered and scaled to variance 1.
    /// </summary>
    private readonly record struct TanhMaps(double Mean, double Variance, double LengthSlope, double CorrelationSlope)
    {
        // The trapezoidal rule converges exponentially for functions analytic in a strip (Trefethen and Weideman 2014);
        // the poles of tanh(scale·z) are π/(2·scale) from the axis, so scales below 6 have all digits at this step.
        private const double Step = 0.05;
        private const int Half = 240;

        public static TanhMaps Of(double scale, double shift)
        {
            double t = Math.Tanh(shift);
            (double mean, double square, double slopes, double mixed, double pull) = (0, 0, 0, 0, 0);
            for (int i = -Half; i <= Half; i++)
            {
                double z = i * Step;
                double weight = Step * Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
                double tanh = Math.Tanh(scale * z);
                double sech = 1 / Math.Cosh(scale * z + shift);
                // By tanh's addition theorem nothing cancels where the scale is small; else the shift may be large, and it would.
                double w = scale < 0.5 ? (1 - t * t) * tanh / (1 + t * tanh) : Math.Tanh(scale * z + shift) - t;
                double slope = scale * sech * sech;
                mean += weight * w;
                square += weight * w * w;
                slopes += weight * slope * slope;
                mixed += weight * w * slope * z;
                pull += weight * slope * z;
            }
            double variance = square - mean * mean;
            return new TanhMaps(mean, variance, (mixed - mean * pull) / variance, slopes / variance);
        }
    }
}
