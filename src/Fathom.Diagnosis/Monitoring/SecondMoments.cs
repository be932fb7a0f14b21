using Fathom.Training;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>The mean squared gradients of an adaptive optimizer, over up to 4,096 weights of each layer.</summary>
/// <param name="BelowFloor">Share of the weights with a gradient whose √v is below ε.</param>
/// <param name="Shortening">Mean of √v/(√v + ε): by how much ε shortens the steps.</param>
/// <param name="LogExcess">log10 of √v over the present gradient's size, both as root mean squares; of the layer in the middle.</param>
internal readonly record struct SecondMoments(double BelowFloor, double Shortening, double LogExcess)
{
    private const int Sampled = 4096;

    /// <summary>Measures them; null where there are none, or no weight has had a gradient yet.</summary>
    /// <param name="session">The session, after a step.</param>
    /// <param name="view">Its optimizer.</param>
    /// <param name="layers">The layers.</param>
    public static SecondMoments? Measure(TrainingSession session, OptimizerView view, IReadOnlyList<LayerTrace> layers)
    {
        double correction = view.Correction(session.NextStep), floor = view.Floor;
        long counted = 0, below = 0;
        double shortening = 0;
        List<double> excess = [];
        foreach (LayerTrace layer in layers)
        {
            ParameterSlice slice = session.Parameters.Find(layer.Weight);
            ReadOnlySpan<float> squares = session.OptimizerStateOf(slice, view.SecondState), gradients = session.Parameters.Gradient(slice).Span;
            int stride = Math.Max(1, slice.Length / Sampled);
            double sum = 0, present = 0;
            for (int i = 0; i < slice.Length; i += stride)
            {
                double root = Math.Sqrt(squares[i] * correction);
                sum += squares[i] * correction;
                present += (double)gradients[i] * gradients[i];
                if (root > 0)
                {
                    counted++;
                    below += root < floor ? 1 : 0;
                    shortening += root / (root + floor);
                }
            }
            if (sum > 0 && present > 0)
            {
                excess.Add(0.5 * Math.Log10(sum / present));
            }
        }
        excess.Sort();
        return counted == 0 ? null : new SecondMoments((double)below / counted, shortening / counted, excess.Count == 0 ? double.NaN : excess[excess.Count / 2]);
    }
}
