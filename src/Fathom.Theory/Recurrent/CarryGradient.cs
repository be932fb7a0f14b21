namespace Fathom.Theory;

/// <summary>
/// The gradient of a layer with a carry, back through time: ∂s_t = open_t ∂h_t + f_{t+1} ∂s_{t+1}, and ∂h_{t−1} = what
/// arrives + Wᵀδ_t. The same W serves at every step, and the carry makes the δ of different steps alike, so that E[∂h_t ∂h_s]
/// = arriving + σw² Σ E[δ_{t+1} δ_{s+1}] has to be followed for all pairs of steps, column by column of s. Derived here.
/// </summary>
internal sealed class CarryGradient
{
    /// <summary>Beyond this many steps pairs are taken as unrelated.</summary>
    private const int MostLag = 512;

    private static readonly int Nodes = SharedGaussian.Nodes.Length;

    private readonly CarryTheory theory;
    private readonly TimeGradient upstream;
    private readonly double batch;
    private readonly int steps;

    /// <summary>E[∂s_t ∂s_s | z] of the column in hand, by t; and the diagonal element of the column before.</summary>
    private readonly double[][] carried;
    private double[] diagonal = new double[Nodes];

    /// <summary>E[Π f | z] over the steps s … t − 1.</summary>
    private readonly double[][] past;

    /// <summary>E[s_{t−1} s_{s−1} | z], its mean over z, and that of the column before, which is E[s_t s_s].</summary>
    private readonly double[][] before;
    private double[] kernel, later;

    /// <summary>Σ E[δ_t δ_s] of the column in hand, and of the one before.</summary>
    private Deltas[] deltas, nextDeltas;

    public CarryGradient(CarryTheory theory, TimeGradient upstream, double batch)
    {
        (this.theory, this.upstream, this.batch, steps) = (theory, upstream, batch, theory.Steps);
        carried = [.. Enumerable.Range(0, steps).Select(_ => new double[Nodes])];
        (before, past) = ([.. Enumerable.Range(0, steps + 1).Select(_ => new double[Nodes])], [.. Enumerable.Range(0, steps + 1).Select(_ => new double[Nodes])]);
        (kernel, later, deltas, nextDeltas) = (new double[steps + 1], new double[steps + 1], new Deltas[steps + 1], new Deltas[steps + 1]);
    }

    public RecurrentBackward Run()
    {
        RecurrentSetting setting = theory.Setting;
        double fanOut = setting.Units * setting.InputWeight;
        double[] states = new double[steps], inputs = new double[steps];
        ParameterSums sums = new(setting, batch);
        (double own, double common, double pairs, double mixedSamples, double carriedSamples) = (0, 0, 0, 0, 0);
        Kernel(steps);
        for (int s = steps - 1; s >= 0; s--)
        {
            Kernel(s);
            double arriving = Column(s);
            double square = SharedGaussian.Average(carried[s]), arrivingSamples = upstream.OverSamples * upstream.Squares[s] + mixedSamples;
            states[s] = theory.StateIsCarried ? square : arriving;
            carriedSamples = arrivingSamples * theory.OpenShare(s) + carriedSamples;
            double share = square > 0 ? theory.SampleShare(s, arriving > 0 ? arrivingSamples / arriving : 0, Math.Min(1, carriedSamples / square)) : 0;
            pairs += 2 * Sum(s, share, ref sums);
            inputs[s] = fanOut * deltas[s].Input;
            (own, common) = (own + deltas[s].Input, common + deltas[s].Input * share);
            mixedSamples = theory.Cut(s) ? 0 : setting.StateGain * deltas[s].State * share;
            carriedSamples *= theory.Cut(s) ? 0 : theory.KeepShare(s);
            (deltas, nextDeltas) = (nextDeltas, deltas);
        }
        double mixed = setting.StateGain * nextDeltas[0].State, kept = SharedGaussian.Average(Kept(0));
        return new RecurrentBackward(states, inputs, own > 0 && steps > 1 ? pairs / (steps - 1) / own : 1, own > 0 ? common / own : 0,
            theory.StateIsCarried ? mixed + kept : mixed, kept, sums.Result);
    }

    /// <summary>E[s_{t−1} s_{s−1} | z] = Π f · E[s_{s−1}²] + what steady news have added since.</summary>
    private void Kernel(int s)
    {
        (kernel, later) = (later, kernel);
        double shared = s > 0 ? theory.Steady(s - 1) : 0;
        for (int t = s; t <= Math.Min(steps, s + MostLag + 1); t++)
        {
            double mean = 0;
            for (int z = 0; z < Nodes; z++)
            {
                past[t][z] = t > s ? past[t - 1][z] * theory.Keep[t - 1].Mean[z] : 1;
                double reach = theory.Reaches[s][z];
                before[t][z] = past[t][z] * theory.Carried[s][z] + shared * reach * (theory.Reaches[t][z] - past[t][z] * reach);
                mean += SharedGaussian.Weights[z] * before[t][z];
            }
            kernel[t] = mean;
        }
    }

    /// <summary>All t ≥ s for one s, the latest first; gives E[∂h_s²] without what is carried.</summary>
    private double Column(int s)
    {
        double[] mixed = new double[Nodes];
        for (int t = Math.Min(steps - 1, s + MostLag); t > s; t--)
        {
            double arriving = Arriving(t, s);
            for (int z = 0; z < Nodes; z++)
            {
                mixed[z] = KeepMean(t + 1, z) * mixed[z] + theory.Open(t, z).Mean * arriving;
                carried[t][z] = KeepMean(s + 1, z) * (t == s + 1 ? diagonal[z] : carried[t][z]) + theory.Open(s, z).Mean * mixed[z];
            }
            deltas[t] = theory.Deltas(t, s, arriving, carried[t], before[t], later[t + 1], past[t]);
        }
        double own = Arriving(s, s);
        double[] kept = Kept(s + 1);
        diagonal = carried[s];
        for (int z = 0; z < Nodes; z++)
        {
            (double mean, double square) = theory.Open(s, z);
            diagonal[z] = square * own + kept[z] + 2 * mean * KeepMean(s + 1, z) * mixed[z];
        }
        diagonal = [.. diagonal];
        deltas[s] = theory.Deltas(s, s, own, carried[s], before[s], later[s + 1], past[s]);
        return own;
    }

    /// <summary>Adds a column to the parameters' sums; gives its Σ E[δ_t δ_s] over t > s.</summary>
    private double Sum(int s, double share, ref ParameterSums sums)
    {
        sums.AddStep(deltas[s], share, s, theory.States[s]);
        double total = 0;
        for (int t = s + 1; t <= Math.Min(steps - 1, s + MostLag); t++)
        {
            sums.AddPair(deltas[t], share, s, new StepMoments(0, theory.StatePair(s, kernel[t]), 0, theory.States[s].OverBoth));
            total += deltas[t].Input;
        }
        return total;
    }

    /// <summary>E[∂h_t ∂h_s] without what is carried: what comes from above, and Wᵀδ of the next steps.</summary>
    private double Arriving(int t, int s)
    {
        double above = t == s ? upstream.Squares[s] : upstream.OverTime * Math.Sqrt(upstream.Squares[t] * upstream.Squares[s]);
        bool cut = t + 1 >= steps || theory.Cut(t + 1) || theory.Cut(s + 1) || t - s > MostLag;
        return above + (cut ? 0 : theory.Setting.StateGain * nextDeltas[t + 1].State);
    }

    private double KeepMean(int step, int node) => step >= steps || theory.Cut(step) ? 0 : theory.Keep[step].Mean[node];

    /// <summary>E[f²] E[∂s²] of a step's carry; the diagonal of the column before.</summary>
    private double[] Kept(int step)
    {
        double[] kept = new double[Nodes];
        for (int z = 0; z < Nodes && step < steps && !theory.Cut(step); z++)
        {
            kept[z] = theory.Keep[step].Square[z] * diagonal[z];
        }
        return kept;
    }
}
