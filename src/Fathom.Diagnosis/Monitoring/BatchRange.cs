using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>How large the numbers of one batch are.</summary>
/// <param name="LargestInput">Largest finite magnitude of the inputs; 0 if they are indices.</param>
/// <param name="BadInputs">NaN and infinities among the inputs.</param>
/// <param name="LargestTarget">Largest finite magnitude of real targets; 0 for labels.</param>
/// <param name="BadTargets">NaN and infinities among the targets.</param>
internal readonly record struct BatchRange(double LargestInput, long BadInputs, double LargestTarget, long BadTargets)
{
    /// <summary>From here on the square of a number overflows in float32: √3.4e38.</summary>
    public static readonly double NearOverflow = Math.Sqrt(float.MaxValue);

    public bool Finite => BadInputs == 0 && BadTargets == 0;

    public bool InRange => LargestInput < NearOverflow && LargestTarget < NearOverflow;

    /// <summary>Measures the training rows that a step sees.</summary>
    public static BatchRange Of(TrainingSession session, long step)
    {
        DataSet data = session.Data.Training;
        TrainingPlan plan = session.Model.Plan;
        ReadOnlySpan<int> rows = new BatchOrder(data.Count, Math.Min(plan.BatchSize, data.Count), plan.Seed).Rows(step);
        (double largestInput, long badInputs) = session.Graph.Input.Type.Kind == ElementKind.Real ? Range(data.Inputs, data.Features, rows) : (0, 0);
        (double largestTarget, long badTargets) = data.Kind == TargetKind.Real ? Range(data.Targets, data.TargetWidth, rows) : (0, 0);
        return new BatchRange(largestInput, badInputs, largestTarget, badTargets);
    }

    private static (double Largest, long Bad) Range(ReadOnlySpan<float> values, int width, ReadOnlySpan<int> rows)
    {
        double largest = 0;
        long bad = 0;
        foreach (int row in rows)
        {
            foreach (float value in values.Slice(row * width, width))
            {
                if (float.IsFinite(value))
                {
                    largest = Math.Max(largest, Math.Abs(value));
                }
                else
                {
                    bad++;
                }
            }
        }
        return (largest, bad);
    }
}
