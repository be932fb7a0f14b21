using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// h_t = z_t h_{t−1} + (1 − z_t) n_t, n = tanh(W_in x + r·(W_hn h)): E[h_t²] = E[z²] E[h_{t−1}²] + 2 E[z (1 − z)] E[h_{t−1} n]
/// + E[(1 − z)²] E[n²]. The candidate's pre-activation, in which r multiplies, is taken as Gaussian. Derived here.
/// </summary>
internal sealed class GruTheory : CarryTheory
{
    private const int ResetGate = 0, KeepGate = 1, Candidate = 2;

    private readonly CellMoments[] keep, reset, candidate;

    /// <summary>E[(W_hn h + b_hn)²], which r multiplies, or would if it stood there.</summary>
    private readonly double[] gated;

    public GruTheory(RecurrentSetting setting, Gru op) : base(setting)
    {
        (keep, reset, candidate, gated) = (new CellMoments[Steps], new CellMoments[Steps], new CellMoments[Steps], new double[Steps]);
        Forward(op.ResetAfter);
    }

    public override double Carry => keep[^1].Mean;

    public override bool StateIsCarried => true;

    public override double Steady(int step) => candidate[step].OverTime;

    public override (double Mean, double Square) Open(int step, int node) => (1, 1);

    public override double OpenShare(int step) => 1;

    public override Deltas Deltas(int t, int s, double arriving, ReadOnlySpan<double> carried, ReadOnlySpan<double> before, double after, ReadOnlySpan<double> past)
    {
        (CellMoments n, CellMoments r, CarryGate gate) = (candidate[s], reset[s], Keep[s]);
        (double kept, double fresh) = (0, 0);
        for (int z = 0; z < carried.Length; z++)
        {
            double weight = SharedGaussian.Weights[z] * carried[z], mean = gate.Mean[z];
            // h_{t−1} contains n_s itself, and of the other candidates what they share with it.
            double contained = t == s ? 0 : (n.Square - n.OverTime) * (1 - mean) * past[z] / mean;
            double cross = n.OverTime * (Reaches[t][z] + Reaches[s][z]) + contained;
            kept += weight * (t == s ? (before[z] + n.Square - cross) * gate.SlopeSquare[z] : (before[z] + n.OverTime - cross) * gate.Slope[z] * gate.Slope[z]);
            fresh += weight * (t == s ? 1 - 2 * mean + gate.Square[z] : (1 - mean) * (1 - mean));
        }
        fresh *= t == s ? n.Slope : n.SlopeOverTime;
        double share = t == s ? 1 : States[s].Square > 0 ? SharedGaussian.Average(before) / States[s].Square : 0;
        double resets = fresh * gated[s] * share * (t == s ? r.Slope : r.SlopeOverTime);
        return new Deltas(kept + resets + fresh, kept + resets + fresh * (t == s ? r.Square : r.OverTime));
    }

    public override double SampleShare(int step, double arriving, double carried) => carried * candidate[step].SlopeOverSamples / candidate[step].Slope;

    public override double KeepShare(int step) => keep[step].OverSamples;

    public override double StatePair(int s, double carried) => carried;

    private void Forward(bool resetAfter)
    {
        CarryGate.Table gates = new();
        CellFunction sigmoid = CellFunction.Sigmoid(), candidates = CellFunction.Tanh();
        int nodes = SharedGaussian.Nodes.Length;
        Carried[0] = [.. Enumerable.Repeat(Setting.InitialState, nodes)];
        Reaches[0] = new double[nodes];
        States[0] = new StepMoments(Setting.InitialState, 0, 0, 0);
        double[] earlier = new double[nodes], sums = new double[nodes];
        for (int t = 0; t < Steps; t++)
        {
            PreActivation kept = Setting.PreActivation(t, Setting.Bias(KeepGate), States[t]);
            (Keep[t], keep[t]) = (gates.At(kept), sigmoid.At(kept));
            reset[t] = sigmoid.At(Setting.PreActivation(t, Setting.Bias(ResetGate), States[t]));
            candidate[t] = candidates.At(CandidateInput(t, resetAfter));
            double time = Step(t, earlier, sums) / Math.Max(1, t);
            (double samples, double both) = Pairs(t);
            States[t + 1] = new StepMoments(SharedGaussian.Average(Carried[t + 1]), time, samples, both);
        }
    }

    /// <summary>One step of the state; gives E[h_t Σ h_s] over the steps s before.</summary>
    private double Step(int t, double[] earlier, double[] sums)
    {
        (Carried[t + 1], Reaches[t + 1]) = (new double[sums.Length], new double[sums.Length]);
        double time = 0, steady = candidate[t].OverTime;
        for (int z = 0; z < sums.Length; z++)
        {
            (double mean, double square) = (Keep[t].Mean[z], Keep[t].Square[z]);
            earlier[z] = mean * (earlier[z] + Carried[t][z]) + (1 - mean) * steady * sums[z];
            Carried[t + 1][z] = square * Carried[t][z] + 2 * (mean - square) * steady * Reaches[t][z] + (1 - 2 * mean + square) * candidate[t].Square;
            Reaches[t + 1][z] = mean * Reaches[t][z] + 1 - mean;
            sums[z] += Reaches[t + 1][z];
            time += SharedGaussian.Weights[z] * earlier[z];
        }
        return time;
    }

    private PreActivation CandidateInput(int t, bool resetAfter)
    {
        CellMoments r = reset[t];
        double inner = resetAfter ? Setting.Bias(Candidate, input: false).Variance : 0;
        gated[t] = Setting.StateGain * States[t].Square + inner;
        PreActivation u = Setting.PreActivation(t, Setting.Bias(Candidate, state: !resetAfter), States[t], new StepMoments(r.Square, r.OverTime, r.OverSamples, r.OverBoth));
        return new PreActivation(u.Mean, u.Variance + r.Square * inner, u.OverTime + r.OverTime * inner, u.OverSamples + r.OverSamples * inner, u.OverBoth + r.OverBoth * inner);
    }

    /// <summary>E[h_a h_b] of two samples, and of two samples at two times.</summary>
    private (double Samples, double Both) Pairs(int t)
    {
        (CellMoments z, CellMoments n, StepMoments h) = (keep[t], candidate[t], States[t]);
        double reach = SharedGaussian.Average(Reaches[t]);
        double samples = z.OverSamples * h.OverSamples + 2 * (z.Mean - z.OverSamples) * n.OverBoth * reach + (1 - 2 * z.Mean + z.OverSamples) * n.OverSamples;
        return (samples, z.Mean * h.OverBoth + (1 - z.Mean) * n.OverBoth * reach);
    }
}
