using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Three clusters in four dimensions, a tenth of the labels replaced by another.</summary>
internal sealed class LabelNoiseMessage() : MessageCase("FTH062", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => Clusters(0.1);

    public override Subject Healthy => Clusters(0);

    private static Subject Clusters(double wrong)
    {
        DataSet noise = Made.Classes(rows: 900).Training;
        Random random = new(9);
        float[] inputs = [.. noise.Inputs.ToArray().Select((x, i) => 0.5f * x + (i % 4 == i / 4 % 3 ? 2 : 0))];
        int[] labels = [.. Enumerable.Range(0, noise.Count).Select(row => random.NextDouble() < wrong ? (row % 3 + 1 + random.Next(2)) % 3 : row % 3)];
        DataSet data = DataSet.OfLabels("clusters", [4], inputs, labels, 3);
        return new Subject(new ModelDefinition("clusters", Network.Input(4).Dense(12, VarianceScaling.HeNormal).Relu().Dense(3, VarianceScaling.XavierNormal).Build(),
            new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), BatchSize = 32, Epochs = 25 }), new DataSplit(data, data));
    }
}
