namespace Fathom.Theory.Tests;

/// <summary>
/// A fully connected chain by plain loops: u_l = W_l φ(u_{l−1}) + b_l, optionally with a skip h + W φ(h). No code is
/// shared with the product; it is what theory is measured against.
/// </summary>
internal sealed class PlainChain(Random random, int[] widths, Func<double, double> function, Func<double, double> slope)
{
    private readonly double[][] unitWeights = [.. Enumerable.Range(1, widths.Length - 1).Select(l => Draw(random, widths[l] * widths[l - 1]))];
    private readonly double[][] unitBiases = [.. Enumerable.Range(1, widths.Length - 1).Select(l => Draw(random, widths[l]))];

    public static double[] Draw(Random random, int count)
    {
        double[] x = new double[count];
        for (int i = 0; i < count; i += 2)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())), angle = 2 * Math.PI * random.NextDouble();
            x[i] = radius * Math.Cos(angle);
            if (i + 1 < count)
            {
                x[i + 1] = radius * Math.Sin(angle);
            }
        }
        return x;
    }

    /// <summary>One sample forward and back.</summary>
    /// <param name="x">The sample.</param>
    /// <param name="upstream">∂L/∂u of the last layer.</param>
    /// <param name="deviation">Standard deviation of layer l's weights.</param>
    /// <param name="biasDeviation">Standard deviation of all biases.</param>
    /// <param name="residual">True if layer l computes h + W φ(h) rather than W φ(h); all widths must agree.</param>
    /// <returns>u_l and ∂L/∂u_l for l = 1 … L, and what each weight multiplies.</returns>
    public (double[][] Values, double[][] Gradients, double[][] Inputs) Pass(double[] x, double[] upstream, Func<int, double> deviation,
        double biasDeviation = 0, bool residual = false)
    {
        int depth = widths.Length - 1;
        double[][] values = new double[depth][], gradients = new double[depth][], inputs = new double[depth][];
        double[] h = x;
        for (int l = 0; l < depth; l++)
        {
            inputs[l] = l == 0 ? x : [.. h.Select(function)];
            values[l] = new double[widths[l + 1]];
            for (int i = 0; i < widths[l + 1]; i++)
            {
                double sum = biasDeviation * unitBiases[l][i] + (residual && l > 0 ? h[i] : 0);
                ReadOnlySpan<double> row = unitWeights[l].AsSpan(i * widths[l], widths[l]);
                sum += deviation(l) * System.Numerics.Tensors.TensorPrimitives.Dot(row, inputs[l]);
                values[l][i] = sum;
            }
            h = values[l];
        }
        gradients[depth - 1] = upstream;
        for (int l = depth - 1; l > 0; l--)
        {
            double[] back = new double[widths[l]];
            for (int i = 0; i < widths[l + 1]; i++)
            {
                ReadOnlySpan<double> row = unitWeights[l].AsSpan(i * widths[l], widths[l]);
                System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(row, deviation(l) * gradients[l][i], back, back);
            }
            for (int j = 0; j < back.Length; j++)
            {
                back[j] = back[j] * slope(values[l - 1][j]) + (residual ? gradients[l][j] : 0);
            }
            gradients[l - 1] = back;
        }
        return (values, gradients, inputs);
    }

    public static double MeanSquare(double[] x) => System.Numerics.Tensors.TensorPrimitives.SumOfSquares<double>(x) / x.Length;
}
