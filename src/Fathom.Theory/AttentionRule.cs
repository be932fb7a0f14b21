using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Multi-head attention with random projections. Scores S = q·k/√d are Gaussian with E[S_ij·S_i'j'] = E[q_i·q_i']·E[k_j·k_j']
/// per element, so that what differs between keys has the variance τ² = E[q²]·(E[k²] − E[k_1·k_2]); the softmax does not see
/// the rest. A query gets E[z²] = E[v_1·v_2] + (E[v²] − E[v_1·v_2])·E[Σ a²], and for two queries E[Σ a·a'] takes the place of
/// E[Σ a²]: with even attention, E[Σ a²] = 1/S, tokens become alike (Noci et al. 2022, where query and key gradients vanish with
/// it). Derived here for any scores; the overlaps come from <see cref="AttentionOverlaps"/>.
/// </summary>
internal sealed class AttentionRule
{
    private readonly Node node;
    private readonly MultiHeadAttention op;
    private readonly AttentionOverlaps overlaps;
    private readonly int heads, width, queries, keys, dataInputs, firstParameter;
    private readonly bool packed;
    private Moments[]? lastInputs;
    private Signals? lastSignals;
    private (Moments[] Inputs, Moments Upstream, AttentionGradients Gradients)? last;

    public AttentionRule(Node node, AttentionOverlaps overlaps)
    {
        this.node = node;
        this.overlaps = overlaps;
        op = (MultiHeadAttention)node.Op;
        Shape query = node.Inputs[0].Shape;
        int e = query[2].Size;
        heads = op.Heads;
        width = op.HeadUnits > 0 ? op.HeadUnits : e / heads;
        packed = !((op.KeyUnits > 0 && op.KeyUnits != e) || (op.ValueUnits > 0 && op.ValueUnits != e));
        int parameters = (packed ? 2 : 4) + (op.Bias ? 2 : 0) + (op.QkNorm == QueryKeyNorm.None ? 0 : 2);
        firstParameter = node.Inputs.Length - parameters;
        dataInputs = firstParameter - (op.Masked ? 1 : 0);
        queries = query[1].Size;
        keys = node.Inputs[KeyInput].Shape[1].Size;
    }

    public MomentRule Rule => new(scope => Flow(scope).Output, (scope, input) => PullBack(White(scope), input).SecondMoment) { PullBack = PullBack };

    private int KeyInput => dataInputs > 1 ? 1 : 0;

    private int ValueInput => dataInputs > 1 ? dataInputs - 1 : 0;

    private int BiasInput => firstParameter + (packed ? 1 : 3);

    private int OutWeight => BiasInput + (op.Bias ? 1 : 0);

    private double Inner => (double)heads * width;

    /// <summary>What the projections and the attention make of the inputs.</summary>
    private sealed record Signals(Moments Query, Moments Key, Moments Value, Moments Context, Moments Output, double Variance);

    private Signals Flow(MomentScope scope)
    {
        // The same inputs are asked about for each parameter.
        if (!ReferenceEquals(lastInputs, scope.Inputs) || lastSignals is null)
        {
            (lastInputs, lastSignals) = (scope.Inputs, Signal(scope));
        }
        return lastSignals;
    }

    private Signals Signal(MomentScope scope)
    {
        Moments query = Normalized(Project(scope, 0, 0)), key = Normalized(Project(scope, KeyInput, 1)), value = Project(scope, ValueInput, 2);
        double variance = query.SecondMoment * Math.Max(0, key.SecondMoment - key.Product(MomentPair.Positions));
        double alike = value.Product(MomentPair.Positions), apart = Math.Max(0, value.SecondMoment - alike);
        double across = value.Product(MomentPair.Both), samples = Math.Max(0, value.Product(MomentPair.Samples) - across);
        ImmutableArray<double> rows = [.. OwnRows(variance).Select(row => row.Weights)];
        double own = rows.Average();
        PositionMoments positions = PositionMoments.Of([1], [[.. rows.Select(row => alike + apart * row)]], 1, 1);
        // Dropped weights are independent: E[Σ a²] grows by 1/keep for all that the values are, pairs keep their mean.
        double dropped = rows.Average() * value.SecondMoment * op.Dropout / (1 - op.Dropout);
        Moments context = Moments.Of(0, alike + apart * own + dropped, positions, pair => pair switch
        {
            MomentPair.Samples => across + samples * Overlap(query, key, pair, variance).Weights,
            MomentPair.Positions => alike + apart * Overlap(query, key, pair, variance).Weights,
            _ => across + samples * Overlap(query, key, pair, variance).Weights,
        });
        double second = Inner * scope.Inputs[OutWeight].SecondMoment;
        double bias = op.Bias ? scope.Inputs[OutWeight + 1].SecondMoment : 0;
        Moments output = context.With(op.Bias ? scope.Inputs[OutWeight + 1].Mean : 0, second * context.SecondMoment + bias, pair => second * context.Product(pair) + bias);
        return new Signals(query, key, value, context, output, variance);
    }

    private Moments Project(MomentScope scope, int input, int block)
    {
        Moments x = scope.Inputs[input];
        double second = node.Inputs[input].Shape[2].Size * Weight(scope, block).SecondMoment;
        double bias = op.Bias ? scope.Inputs[BiasInput].SecondMoment : 0;
        return x.With(0, second * x.SecondMoment + bias, pair => second * x.Product(pair) + bias);
    }

    private Moments Weight(MomentScope scope, int block) => scope.Inputs[firstParameter + (packed ? 0 : block)];

    /// <summary>Queries and keys of unit mean square, times their learnt scale.</summary>
    private Moments Normalized(Moments x)
    {
        if (op.QkNorm == QueryKeyNorm.None || !(x.SecondMoment > 0))
        {
            return x;
        }
        return x with { SecondMoment = x.SecondMoment / (x.SecondMoment + op.NormEps) };
    }

    /// <summary>What a query's row has in common with itself: all alike, or with 1, 2, … keys to see.</summary>
    private AttentionOverlap[] OwnRows(double variance)
    {
        if (!op.Causal)
        {
            return [.. Enumerable.Repeat(overlaps.Of(keys, variance, 1), queries)];
        }
        AttentionOverlap[] curve = overlaps.Curve(keys, variance, 1);
        return [.. Enumerable.Range(0, queries).Select(i => curve[Seen(i) - 1])];
    }

    private int Seen(int query) => op.Causal ? Math.Min(keys, query + 1) : keys;

    /// <summary>What the rows of two queries have in common, on average over the pairs; of causal ones the shorter row counts less.</summary>
    private AttentionOverlap Overlap(Moments query, Moments key, MomentPair pair, double variance)
    {
        double differing = pair == MomentPair.Positions
            ? key.SecondMoment - key.Product(MomentPair.Positions)
            : key.Product(MomentPair.Samples) - key.Product(MomentPair.Both);
        double correlation = variance > 0 ? query.Product(pair) * differing / variance : 1;
        if (!op.Causal)
        {
            return overlaps.Of(keys, variance, correlation);
        }
        AttentionOverlap[] curve = overlaps.Curve(keys, variance, correlation);
        double weights = 0, scores = 0, count = 0;
        for (int i = pair == MomentPair.Samples ? 0 : 1; i < queries; i++)
        {
            // Over the pairs whose longer row is that of query i; 2i of them if the two differ.
            double pairs = pair == MomentPair.Samples ? 1 : 2.0 * i;
            count += pairs;
            AttentionOverlap row = curve[Seen(i) - 1];
            (weights, scores) = (weights + pairs * row.Weights, scores + pairs * row.Scores);
        }
        return count > 0 ? new AttentionOverlap(weights / count, scores / count) : new AttentionOverlap(1, 0);
    }

    private GradientMomentScope White(MomentScope scope)
    {
        Moments output = Flow(scope).Output, upstream = new Moments(0, 1, 0).AsGradientOf(output);
        return new GradientMomentScope(scope, output, upstream, GradientAlignment.Independent(upstream, output));
    }

    private Moments PullBack(GradientMomentScope scope, int input)
    {
        if (input >= dataInputs && input < firstParameter)
        {
            return new Moments(0, 0, 0); // a mask
        }
        Signals flow = Flow(scope.Forward);
        AttentionGradients gradients = Gradients(scope, flow);
        if (input >= firstParameter)
        {
            return new Moments(0, OfParameter(scope, flow, gradients, input), 0);
        }
        Moments total = new(0, 0, 0);
        foreach ((int from, int block, Moments gradient) in new[] { (0, 0, gradients.Query), (KeyInput, 1, gradients.Key), (ValueInput, 2, gradients.Value) })
        {
            if (from == input)
            {
                Moments own = gradient, before = total;
                double factor = Inner * Weight(scope.Forward, block).SecondMoment;
                PositionMoments? positions = before.Positions is { } other && before.SecondMoment > 0
                    ? other.Mix(own.Positions!, before.SecondMoment / (before.SecondMoment + factor * own.SecondMoment)) : own.Positions;
                total = Moments.Of(0, before.SecondMoment + factor * own.SecondMoment, positions, pair => before.Product(pair) + factor * own.Product(pair));
            }
        }
        return total;
    }

    /// <summary>The gradients at the projected queries, keys and values.</summary>
    private sealed record AttentionGradients(Moments Query, Moments Key, Moments Value);

    private AttentionGradients Gradients(GradientMomentScope scope, Signals flow)
    {
        if (last is not { } known || !ReferenceEquals(known.Inputs, scope.Inputs) || known.Upstream != scope.Upstream)
        {
            last = known = (scope.Inputs, scope.Upstream, Gradient(scope, flow));
        }
        return known.Gradients;
    }

    private AttentionGradients Gradient(GradientMomentScope scope, Signals flow)
    {
        Moments upstream = scope.Upstream;
        (double t, double s) = (queries, keys);
        double head = node.Inputs[0].Shape[2].Size * scope.Inputs[OutWeight].SecondMoment; // E[g²] at a head's result
        (double r, double c, double b) = (upstream.CorrelationOf(MomentPair.Positions), upstream.Correlation, upstream.CorrelationOf(MomentPair.Both));
        AttentionOverlap[] rows = OwnRows(flow.Variance);
        ImmutableArray<double> arriving = upstream.Positions is { Profiles: [{ } profile] } && profile.Length == queries ? profile : [.. Enumerable.Repeat(1.0, queries)];
        double own = rows.Zip(arriving, (row, share) => row.Weights * share).Average() / (1 - op.Dropout);
        AttentionOverlap positions = Overlap(flow.Query, flow.Key, MomentPair.Positions, flow.Variance);
        AttentionOverlap samples = Overlap(flow.Query, flow.Key, MomentPair.Samples, flow.Variance);
        AttentionOverlap both = Overlap(flow.Query, flow.Key, MomentPair.Both, flow.Variance);

        // δv_j = Σ_i a_ij·g_i. Over all pairs of keys the weights sum to 1, which gives what different keys share.
        double value = head * t / s * (own + (t - 1) * r * positions.Weights);
        double valueSamples = head * t / s * (c * samples.Weights + (t - 1) * b * both.Weights);
        double Rest(double all, double same) => s > 1 ? (head * all - s * same) / (s * (s - 1)) : same;
        PositionMoments keyPositions = PositionMoments.Of([1], [KeyProfile(arriving)], 1, 1);
        Moments atValue = Moments.Of(0, value, keyPositions, pair => pair switch
        {
            MomentPair.Samples => valueSamples,
            MomentPair.Positions => Rest(t * (1 + (t - 1) * r), value),
            _ => Rest(t * (c + (t - 1) * b), valueSamples),
        });

        // dS_ij = a_ij·(h_ij − Σ a·h) with h_ij = g_i·v_j, of whose d terms 1/√d of the scores leaves the mean.
        double differing = head * Math.Max(0, flow.Value.SecondMoment - flow.Value.Product(MomentPair.Positions));
        double ownScores = rows.Zip(arriving, (row, share) => row.Scores * share).Average() / (1 - op.Dropout);
        double keysApart = Math.Max(0, flow.Key.SecondMoment - flow.Key.Product(MomentPair.Positions));
        double queryScale = NormScale(flow.Query, scope, 0), keyScale = NormScale(flow.Key, scope, KeyInput);
        double query = differing * ownScores * keysApart * queryScale;
        double queryPairs = differing * r * positions.Scores * keysApart * queryScale;
        Moments atQuery = Moments.Of(0, query, PositionMoments.Of([1], [arriving], 1, 1), pair => pair == MomentPair.Positions ? queryPairs : 0);
        double key = differing * t / s * (ownScores * flow.Query.SecondMoment + (t - 1) * r * positions.Scores * flow.Query.Product(MomentPair.Positions)) * keyScale;
        // Σ_j dS_ij = 0: what all keys share gets no gradient.
        Moments atKey = Moments.Of(0, key, keyPositions, pair => pair == MomentPair.Positions && s > 1 ? -key / (s - 1) : 0);
        return new AttentionGradients(atQuery, atKey, atValue);
    }

    /// <summary>Where keys lie in the gradient: of causal ones the first are read by all queries, each with an even share.</summary>
    private ImmutableArray<double> KeyProfile(ImmutableArray<double> arriving)
    {
        double[] profile = new double[keys];
        double above = 0; // Σ over the queries that see a key of their gradient over the square of what they see
        for (int i = queries - 1; i >= 0; i--)
        {
            int seen = Seen(i);
            above += arriving[i] / ((double)seen * seen);
            for (int j = i == 0 ? 0 : Seen(i - 1); j < seen; j++)
            {
                profile[j] = above;
            }
        }
        return [.. profile];
    }

    /// <summary>1/E[x²] of what a query or key normalization divides by; 1 without one.</summary>
    private double NormScale(Moments normalized, GradientMomentScope scope, int input)
    {
        if (op.QkNorm == QueryKeyNorm.None)
        {
            return 1;
        }
        double before = Project(scope.Forward, input, input == 0 ? 0 : 1).SecondMoment;
        return normalized.SecondMoment / (before + op.NormEps);
    }

    /// <summary>Mean square of a parameter's gradient over the batch; of stacked ones the mean over the blocks.</summary>
    private double OfParameter(GradientMomentScope scope, Signals flow, AttentionGradients gradients, int input)
    {
        (int From, Moments Gradient)[] blocks = [(0, gradients.Query), (KeyInput, gradients.Key), (ValueInput, gradients.Value)];
        Moments one = new(1, 1, 1) { Positions = null };
        if (input == OutWeight)
        {
            return Sum(scope.Upstream, flow.Context);
        }
        if (op.Bias && input == OutWeight + 1)
        {
            return Sum(scope.Upstream, one);
        }
        if (op.Bias && input == BiasInput)
        {
            return blocks.Average(block => Sum(block.Gradient, one));
        }
        int own = input - firstParameter;
        if (input < BiasInput)
        {
            return packed
                ? blocks.Average(block => Sum(block.Gradient, scope.Inputs[block.From]))
                : Sum(blocks[own].Gradient, scope.Inputs[blocks[own].From]);
        }
        // A scale of normalized queries or keys is used by all heads at all places.
        Moments scaled = input == node.Inputs.Length - 2 ? gradients.Query : gradients.Key;
        return scope.Forward.BatchSize * scaled.PositionCount * heads * scaled.SecondMoment;

        double Sum(Moments gradient, Moments x)
        {
            GradientMomentScope uses = scope with { Upstream = gradient with { SecondMoment = 1 } };
            return scope.Forward.BatchSize * (double)gradient.PositionCount * gradient.SecondMoment * x.SecondMoment * uses.Coherence(x);
        }
    }
}
