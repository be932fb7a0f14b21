namespace Fathom.Graphs;

/// <summary>How two elements of a value lie to each other that are compared at the same unit or channel.</summary>
public enum MomentPair
{
    /// <summary>The same position of two different samples.</summary>
    Samples,

    /// <summary>Two different positions of one sample: pixels of a channel, tokens of a sequence.</summary>
    Positions,

    /// <summary>Different positions of different samples.</summary>
    Both,
}

/// <summary>
/// Moments of a value over random weights and data: per element, averaged over a layer's units and positions. Also used
/// for a gradient, whose mean is 0.
/// </summary>
/// <param name="Mean">Mean of an element over the layer's units.</param>
/// <param name="SecondMoment">Mean square of an element (q for a pre-activation).</param>
/// <param name="Correlation">Correlation c of two different inputs' values at the same unit: E[u1·u2]/E[u²].</param>
public readonly record struct Moments(double Mean, double SecondMoment, double Correlation)
{
    public double Variance => Math.Max(0, SecondMoment - Mean * Mean);

    /// <summary>What the value's positions have in common; null if all its elements are units.</summary>
    public PositionMoments? Positions { get; init; }

    /// <summary>Positions per sample: 1 if all elements are units.</summary>
    public long PositionCount => Positions?.Count ?? 1;

    /// <summary>E[u1·u2]/E[u²] for a pair of elements.</summary>
    public double CorrelationOf(MomentPair pair) => pair switch
    {
        MomentPair.Samples => Correlation,
        MomentPair.Positions => Positions?.Correlation ?? 1,
        _ => Positions?.AcrossSamples ?? Correlation,
    };

    /// <summary>E[u1·u2] for a pair of elements.</summary>
    public double Product(MomentPair pair) => SecondMoment * CorrelationOf(pair);

    /// <summary>Moments of a value with the same positions as this one.</summary>
    /// <param name="mean">Its mean.</param>
    /// <param name="second">Its mean square.</param>
    /// <param name="product">Its E[u1·u2] for each kind of pair.</param>
    public Moments With(double mean, double second, Func<MomentPair, double> product) => Of(mean, second, Positions, product);

    /// <summary>Moments of the value less its mean.</summary>
    public Moments Centered()
    {
        Moments own = this;
        return With(0, Variance, pair => own.Product(pair) - own.Mean * own.Mean);
    }

    /// <summary>Moments of this value times an independent one, with this one's positions.</summary>
    public Moments Times(Moments other)
    {
        Moments own = this;
        return With(Mean * other.Mean, SecondMoment * other.SecondMoment, pair => own.Product(pair) * other.Product(pair));
    }

    /// <summary>
    /// These moments, of a gradient, for the value that it is the gradient by: they have the value's positions. Where the
    /// gradient was at units of equal standing, such as those of a flattened image, its positions share nothing.
    /// </summary>
    /// <param name="value">Moments of the value.</param>
    public Moments AsGradientOf(Moments value)
    {
        if (value.Positions is not { } positions)
        {
            return this with { Positions = null };
        }
        bool same = Positions is { } own && own.Profiles.Select(profile => profile.Length).SequenceEqual(positions.Profiles.Select(profile => profile.Length));
        return this with
        {
            Positions = same ? Positions!.OnAxes(positions.Axes) : positions.Flattened().With(Positions?.Correlation ?? 0, Positions?.AcrossSamples ?? 0),
        };
    }

    /// <summary>Moments from products.</summary>
    /// <param name="mean">Mean.</param>
    /// <param name="second">Mean square.</param>
    /// <param name="positions">The positions, whose correlations are replaced; null for none.</param>
    /// <param name="product">E[u1·u2] for each kind of pair.</param>
    public static Moments Of(double mean, double second, PositionMoments? positions, Func<MomentPair, double> product)
    {
        return new Moments(mean, second, Ratio(MomentPair.Samples))
        {
            Positions = positions?.With(Ratio(MomentPair.Positions), Ratio(MomentPair.Both)),
        };

        double Ratio(MomentPair pair) => second > 0 ? Math.Clamp(product(pair) / second, -1, 1) : 1;
    }

    /// <summary>
    /// Mean of the correlation over all ordered pairs, an element with itself included, of the elements that one unit has in
    /// a row of samples with all their positions: E[(mean over the row)²]/E[u²].
    /// </summary>
    /// <param name="samples">Samples of the row.</param>
    /// <param name="positions">Positions of each.</param>
    public double MeanOverRow(double samples, double positions) =>
        (1 + (positions - 1) * CorrelationOf(MomentPair.Positions) + (samples - 1) * (Correlation + (positions - 1) * CorrelationOf(MomentPair.Both))) / (samples * positions);
}

/// <summary>What a moment rule sees.</summary>
/// <param name="Node">The node.</param>
/// <param name="Inputs">Moments of each input; of a parameter, those of its initializer.</param>
/// <param name="BatchSize">Samples of a batch.</param>
public readonly record struct MomentScope(Node Node, Moments[] Inputs, int BatchSize = 32)
{
    /// <summary>Elements per sample of an input, without the batch.</summary>
    public long Features(int input) => Node.Inputs[input].Shape.ElementsPerSample;
}

/// <summary>
/// How the size of a gradient goes with the value that it is the gradient by: E[δ1·δ2·v1·v2]/(E[δ²]·E[v²]). An activation
/// behind the value makes the two depend on each other.
/// </summary>
/// <param name="Own">For one element; 1 if δ² and v² are independent.</param>
/// <param name="Samples">For the same position of two samples.</param>
/// <param name="Positions">For two positions of one sample.</param>
/// <param name="Both">For different positions of different samples.</param>
public readonly record struct GradientAlignment(double Own, double Samples, double Positions, double Both)
{
    /// <summary>Of a gradient that does not depend on the value.</summary>
    public static GradientAlignment Independent(Moments gradient, Moments value) => new(1,
        gradient.Correlation * value.Correlation,
        gradient.CorrelationOf(MomentPair.Positions) * value.CorrelationOf(MomentPair.Positions),
        gradient.CorrelationOf(MomentPair.Both) * value.CorrelationOf(MomentPair.Both));

    /// <summary>E[(mean of δ·v over a unit's row)²]/(E[δ²]·E[v²]); see <see cref="Moments.MeanOverRow"/>.</summary>
    public double MeanOverRow(double samples, double positions) =>
        (Own + (positions - 1) * Positions + (samples - 1) * (Samples + (positions - 1) * Both)) / (samples * positions);
}

/// <summary>What a rule sees that carries a gradient back.</summary>
/// <param name="Forward">What the forward rule saw.</param>
/// <param name="Output">Moments of output 0, as predicted.</param>
/// <param name="Upstream">The gradient at output 0, in units of its own mean square.</param>
/// <param name="Alignment">How that gradient goes with output 0.</param>
public readonly record struct GradientMomentScope(MomentScope Forward, Moments Output, Moments Upstream, GradientAlignment Alignment)
{
    public Node Node => Forward.Node;

    public Moments[] Inputs => Forward.Inputs;

    /// <summary>How often a batch uses each of so many parameters that share output 0 evenly.</summary>
    public double UsesOf(long parameters) => Forward.BatchSize * (double)Node.Outputs[0].Shape.ElementsPerSample / Math.Max(1, parameters);

    /// <summary>
    /// E[(Σ δ·x)²] over the uses of a weight that multiplies x, over what it would be if they had nothing in common:
    /// 1 + (P − 1)·r_δ·r_x + (B − 1)·(c_δ·c_x + (P − 1)·s_δ·s_x) for B samples of P positions.
    /// </summary>
    /// <param name="x">What is multiplied; mean square and correlations of 1 for a bias.</param>
    public double Coherence(Moments x)
    {
        // What two positions share goes with the mean square at either.
        double own = Upstream.Positions is { } back && x.Positions is { } front ? back.Overlap(front) : 1;
        return Coherence(x, own, own * own);
    }

    /// <inheritdoc cref="Coherence(Moments)"/>
    /// <param name="x">What is multiplied.</param>
    /// <param name="own">What a use has in common with itself, where that is not 1.</param>
    /// <param name="apart">What pairs of positions have in common, over what it would be if every pair counted the same.</param>
    public double Coherence(Moments x, double own, double apart)
    {
        double positions = Upstream.PositionCount, others = Forward.BatchSize - 1;
        double pairs = apart * Upstream.CorrelationOf(MomentPair.Positions) * x.CorrelationOf(MomentPair.Positions);
        double across = apart * Upstream.CorrelationOf(MomentPair.Both) * x.CorrelationOf(MomentPair.Both);
        return Math.Max(0, own + (positions - 1) * pairs + others * (own * Upstream.Correlation * x.Correlation + (positions - 1) * across));
    }
}

/// <summary>
/// How an op transports moments: forward, and backward as the factor by which the mean square of a gradient's
/// elements changes from output to input. THEORY: Poole et al. 2016; Schoenholz et al. 2017.
/// </summary>
public sealed record MomentRule(Func<MomentScope, Moments> Forward, Func<MomentScope, int, double> Backward)
{
    /// <summary>
    /// The gradient at an input for the upstream gradient's own pattern over samples and positions; its mean square is the
    /// factor. For a parameter the mean square of its gradient, summed over the batch, in units of the upstream gradient's;
    /// NaN where there is no formula. Null if <see cref="Backward"/> says all, and the pattern stays as it is.
    /// </summary>
    public Func<GradientMomentScope, int, Moments>? PullBack { get; init; }
}
