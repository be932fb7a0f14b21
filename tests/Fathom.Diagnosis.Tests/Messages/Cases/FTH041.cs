using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ExplodingOverTimeInTrainingMessage() : MessageCase("FTH041", Stage.Training, "grows by [0-9.]+ decades", @"limit [0-9.]+\)")
{
    public override Subject Sick => VanishingOverTimeInTrainingMessage.Sums(net => net.Rnn(32, initializers: new Dictionary<string, Initializer> { ["weight_hh"] = new VarianceScaling(9, FanMode.In, WeightDistribution.Normal) }), 0.002);

    public override Subject Healthy => VanishingOverTimeInTrainingMessage.Rows(net => net.Rnn(32));
}
