using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests;

/// <summary>Small data sets that one fault each keeps a network from learning.</summary>
internal static class CureData
{
    /// <summary>Digits with every pixel times a factor, plus an offset.</summary>
    public static DataSplit ScaledDigits(float factor, float offset) =>
        new(Scaled(SickNetworks.Digits.Training, factor, offset), Scaled(SickNetworks.Digits.Validation, factor, offset));

    /// <summary>Digits as two classes: 0 to 4, and 5 to 9.</summary>
    public static readonly DataSplit TwoClasses = new(Halves(SickNetworks.Digits.Training), Halves(SickNetworks.Digits.Validation));

    /// <summary>One class around the other: no line parts them.</summary>
    public static readonly DataSplit Circles = DataSource.Open("circles?samples=600&noise=0.05");

    /// <summary>y = offset + size · (x₁ − 2x₂ + noise), 8 standard normal features.</summary>
    /// <param name="size">Standard deviation of the targets over about 2.2.</param>
    /// <param name="offset">Their mean.</param>
    /// <param name="noise">Standard deviation of the noise.</param>
    /// <param name="outlier">What the inputs of one training row are multiplied by.</param>
    /// <param name="rows">Training rows; there are 256 to validate.</param>
    public static DataSplit Line(double size = 1, double offset = 0, double noise = 0.1, double outlier = 1, int rows = 512)
    {
        const int features = 8;
        Random random = new(5);
        return new DataSplit(Draw(rows, outlier), Draw(256, 1));

        DataSet Draw(int count, double factor)
        {
            float[] inputs = [.. Enumerable.Range(0, count * features).Select(_ => (float)Normal(random))];
            float[] targets = [.. Enumerable.Range(0, count).Select(row => (float)(offset + size * (inputs[row * features] - 2 * inputs[row * features + 1] + noise * Normal(random))))];
            for (int i = 0; i < features; i++)
            {
                inputs[(count / 2) * features + i] *= (float)factor;
            }
            return DataSet.OfTargets("line", [features], inputs, targets);
        }
    }

    /// <summary>Sequences of noise between −0.5 and 0.5; the class is the sign of the one larger number, −1 or 1, at one step.</summary>
    /// <param name="steps">Length.</param>
    /// <param name="at">The step that counts.</param>
    public static DataSplit Recall(int steps, int at)
    {
        Random random = new(7);
        return new DataSplit(Draw(640), Draw(256));

        DataSet Draw(int count)
        {
            float[] inputs = [.. Enumerable.Range(0, count * steps).Select(_ => (float)(random.NextDouble() - 0.5) * 0.2f)];
            int[] labels = [.. Enumerable.Range(0, count).Select(_ => random.Next(2))];
            for (int row = 0; row < count; row++)
            {
                inputs[row * steps + at] = 2 * labels[row] - 1;
            }
            return DataSet.OfLabels("recall", [steps, 1], inputs, labels, 2);
        }
    }

    private static DataSet Scaled(DataSet data, float factor, float offset) =>
        DataSet.OfLabels(data.Name, data.RowShape, [.. data.Inputs.ToArray().Select(value => value * factor + offset)], data.Labels.ToArray(), data.Classes);

    private static DataSet Halves(DataSet data) =>
        DataSet.OfLabels("halves", data.RowShape, data.Inputs.ToArray(), [.. data.Labels.ToArray().Select(label => label / 5)], 2);

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
