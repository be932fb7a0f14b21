using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Recurrent layers as loops over numbers, one sample and one step after the other.</summary>
internal static class PlainRecurrence
{
    /// <summary>y, h_n and c_n of a layer.</summary>
    /// <param name="op">The layer.</param>
    /// <param name="given">Its inputs by name.</param>
    /// <param name="samples">N.</param>
    /// <param name="steps">T.</param>
    /// <param name="features">Width of x.</param>
    /// <param name="kept">
    /// The states before each step in the first call. Where gradients are cut, later calls go on from these, so that
    /// differences do not see what comes through the cut either.
    /// </param>
    public static Dictionary<string, double[]> Run(RecurrentLayer op, Dictionary<string, double[]> given, int samples, int steps, int features, ref double[][]? kept)
    {
        int units = op.Units;
        double[][] states = new double[samples * (steps + 1)][];
        double[] y = new double[samples * steps * units];
        double[][] last = new double[samples][];
        for (int n = 0; n < samples; n++)
        {
            double[] state = [.. Start(given, "h0", n, units), .. Start(given, "c0", n, units)];
            for (int step = 0; step < steps; step++)
            {
                int time = op.Reverse ? steps - 1 - step : step;
                states[n * (steps + 1) + step] = state;
                if (kept is not null && op.Truncate > 0 && step > 0 && step % op.Truncate == 0)
                {
                    state = kept[n * (steps + 1) + step];
                }
                if (!op.Masked || given["mask"][n * steps + time] != 0)
                {
                    state = Next(op, given, given["x"].AsSpan((n * steps + time) * features, features), state);
                }
                state.AsSpan(0, units).CopyTo(y.AsSpan((n * steps + time) * units));
            }
            last[n] = state;
        }
        kept ??= states;
        Dictionary<string, double[]> results = new() { ["y"] = y, ["h_n"] = [.. last.SelectMany(state => state.Take(units))] };
        if (op.States == 2)
        {
            results["c_n"] = [.. last.SelectMany(state => state.Skip(units))];
        }
        return results;
    }

    private static double[] Next(RecurrentLayer op, Dictionary<string, double[]> given, ReadOnlySpan<double> x, double[] state)
    {
        int units = op.Units;
        double[] next = new double[2 * units];
        double[] fromInput = Product(given["weight_ih"], x, given.GetValueOrDefault("bias_ih"));
        double[] fromState = Product(given["weight_hh"], state.AsSpan(0, units), given.GetValueOrDefault("bias_hh"));
        double Gate(int gate, int j) => fromInput[gate * units + j] + fromState[gate * units + j];
        double[] reset = new double[units];
        for (int j = 0; j < units; j++)
        {
            switch (op)
            {
                case Rnn:
                    next[j] = Math.Tanh(Gate(0, j));
                    break;
                case Lstm:
                    next[units + j] = Sigmoid(Gate(1, j)) * state[units + j] + Sigmoid(Gate(0, j)) * Math.Tanh(Gate(2, j));
                    next[j] = Sigmoid(Gate(3, j)) * Math.Tanh(next[units + j]);
                    break;
                default:
                    reset[j] = Sigmoid(Gate(0, j)) * state[j];
                    break;
            }
        }
        if (op is Gru gru)
        {
            double[] after = Product(given["weight_hh"], reset, given.GetValueOrDefault("bias_hh"));
            for (int j = 0; j < units; j++)
            {
                double candidate = Math.Tanh(fromInput[2 * units + j] + (gru.ResetAfter ? Sigmoid(Gate(0, j)) * fromState[2 * units + j] : after[2 * units + j]));
                double update = Sigmoid(Gate(1, j));
                next[j] = (1 - update) * candidate + update * state[j];
            }
        }
        return next;
    }

    private static double[] Product(double[] weight, ReadOnlySpan<double> x, double[]? bias)
    {
        double[] y = new double[weight.Length / x.Length];
        for (int i = 0; i < weight.Length; i++)
        {
            y[i / x.Length] += weight[i] * x[i % x.Length];
        }
        for (int i = 0; i < y.Length && bias is not null; i++)
        {
            y[i] += bias[i];
        }
        return y;
    }

    private static double[] Start(Dictionary<string, double[]> given, string name, int sample, int units) =>
        given.TryGetValue(name, out double[]? states) ? states[(sample * units)..((sample + 1) * units)] : new double[units];

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
