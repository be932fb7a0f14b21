using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Testing.Reference.Runners;

/// <summary>mlp_sigmoid: dense layers with sigmoids between; loss, every activation, every gradient.</summary>
public sealed class NetworkMlpRunner : NetworkRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["mlp_sigmoid"];

    protected override ModelDefinition Model(ReferenceCase reference)
    {
        Loss loss = reference.TextAttribute("loss") == "mse" ? new MeanSquaredError() : new CrossEntropy();
        return new ModelDefinition(reference.Id, Network(reference), new TrainingPlan { Loss = loss, Optimizer = new Sgd() });
    }

    private static Graph Network(ReferenceCase reference)
    {
        int[] sizes = [.. reference.Attributes.GetProperty("sizes").EnumerateArray().Select(size => size.GetInt32())];
        NetworkCursor cursor = Graphs.Network.Input(sizes[0]);
        for (int i = 1; i < sizes.Length; i++)
        {
            cursor = cursor.Dense(sizes[i], name: $"layers.{i - 1}");
            cursor = i < sizes.Length - 1 ? cursor.Sigmoid($"sigmoid.{i - 1}") : cursor;
        }
        return cursor.Build();
    }
}
