using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Networks with one known fault each, and healthy ones, on the digits.</summary>
internal static class SickNetworks
{
    public static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 1 });

    public static ModelDefinition Chain(int depth, Func<NetworkCursor, NetworkCursor> activation, Initializer weight, double rate = 0.1, int epochs = 5, Initializer? bias = null, Optimizer? optimizer = null) => new(
        "chain",
        Network.Input(64).Repeat(depth, net => activation(net.Dense(32, weight, bias))).Dense(10, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer ?? new Sgd(rate), BatchSize = 32, Epochs = epochs });

    public static ModelDefinition Vanishing(int epochs = 5) => Chain(15, net => net.Sigmoid(), VarianceScaling.XavierNormal, epochs: epochs);

    public static ModelDefinition HealthyRelu(int depth = 3) => Chain(depth, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.05);

    public static RunOutcome Run(ModelDefinition model)
    {
        using WatchedRun run = new(model, Digits);
        run.Advance();
        return run.Outcome();
    }
}

/// <summary>Findings without regard to which of them explains which.</summary>
internal static class FindingLists
{
    public static IEnumerable<Finding> Flat(this IEnumerable<Finding> findings) => findings.SelectMany(finding => finding.Consequences.Prepend(finding));
}
