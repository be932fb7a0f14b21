using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests.Audit;

/// <summary>Rows of standard normal numbers with a class each, changed as a test wants.</summary>
internal static class Made
{
    public static DataSplit Classes(int rows = 300, int features = 4, int classes = 3, int seed = 5, Func<float, float>? inputs = null, Func<float, int, float>? column = null, Func<int, int>? labels = null)
    {
        Random random = new(seed);
        return new DataSplit(Part(rows), Part(rows / 3));

        DataSet Part(int count)
        {
            float[] values = new float[count * features];
            for (int i = 0; i < values.Length; i++)
            {
                float x = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
                values[i] = column is not null ? column(x, i % features) : inputs is not null ? inputs(x) : x;
            }
            return DataSet.OfLabels("made", [features], values, [.. Enumerable.Range(0, count).Select(labels ?? (i => i % classes))], classes);
        }
    }

    /// <summary>Real targets.</summary>
    public static DataSplit Values(Func<double, double> target, int rows = 300)
    {
        DataSplit classes = Classes(rows);
        Random random = new(7);
        return new DataSplit(Of(classes.Training), Of(classes.Validation));

        DataSet Of(DataSet data) => DataSet.OfTargets("made", [4], data.Inputs.ToArray(), [.. Enumerable.Range(0, data.Count).Select(_ => (float)target(random.NextDouble() * 2 - 1))]);
    }
}
