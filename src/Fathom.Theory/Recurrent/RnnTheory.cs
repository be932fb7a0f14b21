using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// h_t = φ(W_ih x_t + W_hh h_{t−1} + b): q_t = σw² E[φ(u_{t−1})²] + σv² E[x²] + σb², and back E[δ_t²] = E[φ'²]·(σw²
/// E[δ_{t+1}²] + what arrives), so that the gradient's mean square changes by χ = σw² E[φ'²] per step (Pascanu et al. 2013;
/// Chen et al. 2018).
/// </summary>
internal sealed class RnnTheory : RecurrentTheory
{
    private readonly CellMoments[] cells;

    public RnnTheory(RecurrentSetting setting, Rnn op) : base(setting)
    {
        CellFunction function = op.Activation == RecurrentActivation.Tanh ? CellFunction.Tanh() : new CellFunction(x => Math.Max(0, x), x => x > 0 ? 1 : 0);
        States = new StepMoments[Steps + 1];
        cells = new CellMoments[Steps];
        States[0] = new StepMoments(setting.InitialState, 0, 0, 0);
        double mean = 0;
        for (int t = 0; t < Steps; t++)
        {
            PreActivation u = setting.PreActivation(t, setting.Bias(0), States[t]);
            cells[t] = function.At(u);
            States[t + 1] = new StepMoments(cells[t].Square, cells[t].OverTime, cells[t].OverSamples, cells[t].OverBoth);
            mean += cells[t].Mean / Steps;
        }
        Mean = mean;
    }

    public override StepMoments[] States { get; }

    public override double Mean { get; }

    public override RecurrentBackward Backward(TimeGradient upstream, double batch)
    {
        double gain = Setting.StateGain, fanOut = Setting.Units * Setting.InputWeight;
        double[] states = new double[Steps], inputs = new double[Steps];
        ParameterSums sums = new(Setting, batch);
        double recurrent = 0, samples = 0, pairs = 0, own = 0, common = 0;
        // E[δ_t δ_s] for t > s at the step in hand, by lag; each goes back along its diagonal.
        double[] lags = new double[Steps];
        for (int t = Steps - 1; t >= 0; t--)
        {
            states[t] = upstream.Squares[t] + recurrent;
            double delta = cells[t].Slope * states[t];
            samples = cells[t].SlopeOverSamples * (upstream.OverSamples * upstream.Squares[t] + samples);
            sums.AddStep(new Deltas(delta, delta), delta > 0 ? samples / delta : 0, t, States[t]);
            double sum = 0;
            for (int lag = 1; lag < Steps - t && upstream.OverTime != 0; lag++)
            {
                lags[lag] = cells[t].SlopeOverTime * (upstream.OverTime * Math.Sqrt(upstream.Squares[t] * upstream.Squares[t + lag]) + lags[lag]);
                sum += lags[lag];
            }
            sums.AddPair(new Deltas(sum, sum), delta > 0 ? samples / delta : 0, t, States[t]);
            inputs[t] = fanOut * delta;
            (own, common, pairs) = (own + delta, common + samples, pairs + 2 * sum);
            double through = CutBefore(t) ? 0 : gain;
            (recurrent, samples) = (through * delta, through * samples);
            for (int lag = 1; lag < Steps - t; lag++)
            {
                lags[lag] *= through;
            }
        }
        double correlation = own > 0 ? common / own : 0;
        return new RecurrentBackward(states, inputs, own > 0 && Steps > 1 ? pairs / (Steps - 1) / own : 1, correlation, recurrent, 0, sums.Result);
    }
}
