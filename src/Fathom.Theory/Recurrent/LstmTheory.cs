using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// c_t = f_t c_{t−1} + i_t g_t, h_t = o_t tanh(c_t). Each gate is a function of its own Gaussian pre-activation, and given z
/// E[c_t²] = E[f²] E[c_{t−1}²] + 2 E[f] E[c_{t−1} i g] + E[i²] E[g²]. For tanh, c is taken as Gaussian. Derived here.
/// </summary>
internal sealed class LstmTheory : CarryTheory
{
    /// <summary>Number of the forget gate among i, f, g, o.</summary>
    public const int ForgetGate = 1;

    private readonly TanhOfState tanh = new();
    private readonly CellMoments[] forget, input, output, candidate;

    /// <summary>E[tanh(c_t)²] and E[tanh'(c_t)²] over all units, and E[tanh'(c_t) | z], E[tanh'(c_t)² | z], by step.</summary>
    private readonly double[] squashed;
    private readonly (double Mean, double Square)[][] opens;

    private readonly double[] cells;

    /// <summary>E[c_a c_b] of two samples after each step.</summary>
    private readonly double[] cellPairs;

    public LstmTheory(RecurrentSetting setting) : base(setting)
    {
        (forget, input, output, candidate) = (new CellMoments[Steps], new CellMoments[Steps], new CellMoments[Steps], new CellMoments[Steps]);
        (squashed, opens, cells, cellPairs) = (new double[Steps], new (double, double)[Steps][], new double[Steps + 1], new double[Steps + 1]);
        Forward();
    }

    public override double[] Cells => cells;

    public override double Carry => forget[^1].Mean;

    public override bool StateIsCarried => false;

    public override double Steady(int step) => input[step].OverTime * candidate[step].OverTime;

    public override (double Mean, double Square) Open(int step, int node) => opens[step][node];

    public override double OpenShare(int step)
    {
        double slope = 0;
        for (int z = 0; z < opens[step].Length; z++)
        {
            slope += SharedGaussian.Weights[z] * opens[step][z].Square;
        }
        return slope * output[step].OverSamples / output[step].Square;
    }

    public override Deltas Deltas(int t, int s, double arriving, ReadOnlySpan<double> carried, ReadOnlySpan<double> before, double after, ReadOnlySpan<double> past)
    {
        (CellMoments i, CellMoments g, CellMoments o, CarryGate f) = (input[s], candidate[s], output[s], Keep[s]);
        (double cell, double forgotten) = (0, 0);
        for (int z = 0; z < carried.Length; z++)
        {
            double weight = SharedGaussian.Weights[z] * carried[z];
            cell += weight;
            forgotten += weight * before[z] * (t == s ? f.SlopeSquare[z] : f.Slope[z] * f.Slope[z]);
        }
        double squashing = squashed[s] / Math.Max(cells[s + 1], double.Epsilon);
        double sum = t == s
            ? arriving * squashed[s] * o.Slope + cell * (g.Square * i.Slope + i.Square * g.Slope) + forgotten
            : arriving * squashing * after * o.SlopeOverTime + cell * (g.OverTime * i.SlopeOverTime + i.OverTime * g.SlopeOverTime) + forgotten;
        return new Deltas(sum, sum);
    }

    public override double SampleShare(int step, double arriving, double carried)
    {
        (CellMoments i, CellMoments g, CellMoments f) = (input[step], candidate[step], forget[step]);
        double own = g.Square * i.Slope + i.Square * g.Slope + cells[step] * f.Slope;
        return carried * (g.OverSamples * i.SlopeOverSamples + i.OverSamples * g.SlopeOverSamples + cellPairs[step] * f.SlopeOverSamples) / own;
    }

    public override double KeepShare(int step) => forget[step].OverSamples;

    public override double StatePair(int s, double carried) =>
        s == 0 || cells[s] == 0 ? 0 : output[s - 1].OverTime * squashed[s - 1] / cells[s] * carried;

    private void Forward()
    {
        CarryGate.Table gates = new();
        CellFunction sigmoid = CellFunction.Sigmoid(), candidates = CellFunction.Tanh();
        int nodes = SharedGaussian.Nodes.Length;
        Carried[0] = [.. Enumerable.Repeat(Setting.InitialCell, nodes)];
        Reaches[0] = new double[nodes];
        cells[0] = Setting.InitialCell;
        States[0] = new StepMoments(Setting.InitialState, 0, 0, 0);
        double[] earlier = new double[nodes], sums = new double[nodes];
        double both = 0;
        for (int t = 0; t < Steps; t++)
        {
            PreActivation Of(int gate) => Setting.PreActivation(t, Setting.Bias(gate), States[t]);
            (input[t], forget[t], candidate[t], output[t]) = (sigmoid.At(Of(0)), sigmoid.At(Of(ForgetGate)), candidates.At(Of(2)), sigmoid.At(Of(3)));
            Keep[t] = gates.At(Of(ForgetGate));
            double time = Step(t, earlier, sums) / Math.Max(1, t);
            double reach = SharedGaussian.Average(Reaches[t]), fresh = input[t].OverSamples * candidate[t].OverSamples, steady = input[t].OverBoth * candidate[t].OverBoth;
            cellPairs[t + 1] = forget[t].OverSamples * cellPairs[t] + 2 * forget[t].Mean * steady * reach + fresh;
            both = forget[t].Mean * both + steady * (1 + forget[t].Mean * reach);
            double ratio = squashed[t] / Math.Max(cells[t + 1], double.Epsilon);
            States[t + 1] = new StepMoments(output[t].Square * squashed[t], output[t].OverTime * ratio * time, output[t].OverSamples * ratio * cellPairs[t + 1], output[t].OverBoth * ratio * both);
        }
    }

    /// <summary>One step of the cell; gives E[c_t Σ c_s] over the steps s before.</summary>
    private double Step(int t, double[] earlier, double[] sums)
    {
        double fresh = input[t].Square * candidate[t].Square, steady = Steady(t), time = 0;
        (Carried[t + 1], Reaches[t + 1], opens[t]) = (new double[sums.Length], new double[sums.Length], new (double, double)[sums.Length]);
        for (int z = 0; z < sums.Length; z++)
        {
            (double f, double f2) = (Keep[t].Mean[z], Keep[t].Square[z]);
            earlier[z] = f * (earlier[z] + Carried[t][z]) + steady * sums[z];
            Carried[t + 1][z] = f2 * Carried[t][z] + 2 * f * steady * Reaches[t][z] + fresh;
            Reaches[t + 1][z] = 1 + f * Reaches[t][z];
            sums[z] += Reaches[t + 1][z];
            var moments = tanh.At(Carried[t + 1][z]);
            opens[t][z] = (Math.Sqrt(output[t].OverTime) * moments.Slope, output[t].Square * moments.SlopeSquare);
            squashed[t] += SharedGaussian.Weights[z] * moments.Square;
            time += SharedGaussian.Weights[z] * earlier[z];
        }
        cells[t + 1] = SharedGaussian.Average(Carried[t + 1]);
        return time;
    }
}
