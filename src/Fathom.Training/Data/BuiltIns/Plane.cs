namespace Fathom.Training.Data.BuiltIns;

/// <summary>Point <paramref name="i"/> of the <paramref name="count"/> points of one class.</summary>
internal delegate (float X, float Y) PlanePoint(ref DataRandom random, int label, int i, int count);

/// <summary>Draws classes of points in the plane, in random order.</summary>
internal static class Plane
{
    public static DataSet Draw(string name, BuiltInArguments arguments, int classes, PlanePoint point)
    {
        int samples = arguments.Samples;
        var random = new DataRandom(arguments.Seed);
        var order = new int[samples];
        random.Permutation(order);
        var inputs = new float[samples * 2];
        var labels = new int[samples];
        int next = 0;
        for (int label = 0; label < classes; label++)
        {
            int count = (samples / classes) + (label < samples % classes ? 1 : 0);
            for (int i = 0; i < count; i++)
            {
                int row = order[next++];
                labels[row] = label;
                (inputs[2 * row], inputs[(2 * row) + 1]) = point(ref random, label, i, count);
            }
        }
        return DataSet.OfLabels(name, [2], inputs, labels, classes);
    }

    public static (float X, float Y) Noisy(ref DataRandom random, double x, double y, double deviation) =>
        ((float)(x + (deviation * random.Gaussian())), (float)(y + (deviation * random.Gaussian())));
}
