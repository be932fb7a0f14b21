using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class VanishingGradientMessage() : MessageCase("FTH001", Stage.Training, "falls to [0-9.e-]+ of its size", "limit 1e-3; theory expects")
{
    public override Subject Sick => SickNetworks.Vanishing();

    public override Subject Healthy => HealthyRelu(5);
}

/// <summary>The optimizer moves the early layers, but the loss stands.</summary>
internal sealed class VanishingUnderAdamMessage() : MessageCase("FTH001", Stage.Training, "falls to [0-9.e-]+ of its size", "limit 1e-3", "adam")
{
    public override Subject Sick => SickNetworks.Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal, epochs: 8, optimizer: new Adam(0.001));

    public override Subject Healthy => SickNetworks.Chain(4, net => net.Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Adam());
}

internal sealed class VanishingAtStartMessage() : MessageCase("FTH001", Stage.Preflight, "falls to [0-9.e-]+ of its size", "limit 1e-3; theory expects")
{
    public override Subject Sick => SickNetworks.Vanishing();

    public override Subject Healthy => HealthyRelu(5);
}

internal sealed class VanishingOverTimeMessage() : MessageCase("FTH001", Stage.Preflight, "falls to [0-9.e-]+ of its size", "limit 1e-3; theory expects", "time")
{
    public override Subject Sick => Memory(120);

    public override Subject Healthy => Memory(10);

    internal static Subject Memory(int length, double weight = double.NaN)
    {
        Dictionary<string, Initializer>? recurrent = double.IsNaN(weight) ? null : new() { ["weight_hh"] = new Orthogonal(weight) };
        ModelDefinition model = new("memory", Network.Input(length, 2).Rnn(32, double.IsNaN(weight) ? RecurrentActivation.Tanh : RecurrentActivation.Relu, initializers: recurrent).Last().Dense(1).Build(),
            SickNetworks.HealthyRelu().Plan with { Loss = new MeanSquaredError(), Optimizer = new Sgd(0.01) });
        return new Subject(model, DataSource.Open($"adding?length={length}&samples=100"));
    }
}
