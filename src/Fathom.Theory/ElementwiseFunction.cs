using System.Collections.Immutable;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// What several elementwise nodes make of one value, as one function of it: x + ReLU(x), x·σ(x), tanh(ReLU(x)). Theory integrates it
/// like an activation; it is never run.
/// </summary>
internal sealed record ElementwiseFunction : Activation
{
    private readonly string text;
    private readonly Func<double, double> function, slope;

    private ElementwiseFunction(string text, Func<double, double> function, Func<double, double> slope, ImmutableArray<double> kinks, (double Factor, double Offset)? line)
    {
        (this.text, this.function, this.slope, Kinks, Line) = (text, function, slope, kinks, line);
    }

    public static ElementwiseFunction Identity { get; } = Straight(1, 0);

    /// <summary>Factor and offset of a straight line; null for any other function.</summary>
    public (double Factor, double Offset)? Line { get; }

    public override string Kind => text;

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks { get; }

    /// <summary>Two functions that were put together from the same parts are equal.</summary>
    public bool Equals(ElementwiseFunction? other) => other is not null && text == other.text;

    public override int GetHashCode() => text.GetHashCode(StringComparison.Ordinal);

    public override double Evaluate(double x) => function(x);

    public override double Slope(double x) => slope(x);

    public override void Run<T>(in Graphs.KernelContext<T> context) => throw new NotSupportedException($"{text} is for theory only.");

    public override void RunGradient<T>(in Graphs.KernelContext<T> context) => throw new NotSupportedException($"{text} is for theory only.");

    /// <summary>factor·f + offset.</summary>
    public ElementwiseFunction Scaled(double factor, double offset)
    {
        Func<double, double> f = function, g = slope;
        return Line is { } line
            ? Straight(factor * line.Factor, factor * line.Offset + offset)
            : new ElementwiseFunction(FormattableString.Invariant($"({factor:R}·{text}+{offset:R})"), x => factor * f(x) + offset, x => factor * g(x), Kinks, null);
    }

    public static ElementwiseFunction Sum(ElementwiseFunction a, ElementwiseFunction b) => (a.Line, b.Line) is ({ } first, { } second)
        ? Straight(first.Factor + second.Factor, first.Offset + second.Offset)
        : new ElementwiseFunction($"({a.text}+{b.text})", x => a.function(x) + b.function(x), x => a.slope(x) + b.slope(x), Both(a, b), null);

    public static ElementwiseFunction Product(ElementwiseFunction a, ElementwiseFunction b) => new($"{a.text}·{b.text}",
        x => a.function(x) * b.function(x), x => a.slope(x) * b.function(x) + a.function(x) * b.slope(x), Both(a, b), null);

    /// <summary>An activation of f; its kinks lie where f takes their values.</summary>
    public static ElementwiseFunction Applied(Activation outer, ElementwiseFunction f)
    {
        List<double> kinks = [.. f.Kinks];
        foreach (double kink in outer.Kinks)
        {
            kinks.AddRange(Crossings(f.function, kink));
        }
        return new ElementwiseFunction($"{outer}({f.text})", x => outer.Evaluate(f.function(x)), x => outer.Slope(f.function(x)) * f.slope(x), [.. kinks.Distinct()], null);
    }

    private static ElementwiseFunction Straight(double factor, double offset) =>
        new(FormattableString.Invariant($"({factor:R}x+{offset:R})"), x => factor * x + offset, _ => factor, [], (factor, offset));

    private static ImmutableArray<double> Both(ElementwiseFunction a, ElementwiseFunction b) => [.. a.Kinks.Union(b.Kinks)];

    /// <summary>Where f crosses a value, between points that lie closer around 0.</summary>
    private static IEnumerable<double> Crossings(Func<double, double> f, double value)
    {
        const int points = 200;
        double Point(int i) => Math.Sinh(8.0 * i / points);
        for (int i = -points; i < points; i++)
        {
            (double left, double right) = (f(Point(i)) - value, f(Point(i + 1)) - value);
            if (left == 0 || (left < 0) == (right < 0))
            {
                continue;
            }
            yield return RootFinding.Bisect(x => f(x) - value, Point(i), Point(i + 1));
        }
    }
}
