using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// The loss that remains where every class is right and as sure as the output's function allows: logits from 0 to 1, which
/// is what a softmax before a loss with a softmax of its own makes of them, leave 1.46 of ten classes' 2.30. A loss that
/// stands there has been learnt.
/// </summary>
internal static class LeastLoss
{
    /// <summary>0 where nothing is known, and for targets that are numbers: what an output cannot reach there is an error of its own.</summary>
    public static double Of(Graph network, Loss loss, DataSet data)
    {
        if (data.Kind != TargetKind.Label || TargetOutOfRange.Range(OutputMatch.OutputOf(network).Op) is not { } range)
        {
            return 0;
        }
        int columns = OutputMatch.Columns(network);
        return loss switch
        {
            CrossEntropy { FromLogits: true } when columns > 1 => Math.Log(1 + (columns - 1) * Math.Exp(range.Low - range.High)),
            BinaryCrossEntropy { FromLogits: true } when data.Classes <= 2 => OfTwoClasses(range, data),
            _ => 0,
        };
    }

    private static double OfTwoClasses((double Low, double High) range, DataSet data)
    {
        double ones = data.Statistics.ClassCounts.Length < 2 ? 0 : data.Statistics.ClassCounts[1] / (double)data.Count;
        return ones * Softplus(-range.High) + (1 - ones) * Softplus(range.Low);
    }

    /// <summary>ln(1 + eˣ), which is the loss of a logit −x for the class 1.</summary>
    private static double Softplus(double x) => double.IsNegativeInfinity(x) ? 0 : Math.Log(1 + Math.Exp(x));
}
