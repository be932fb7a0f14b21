using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class GrowingStatesMessage() : MessageCase("FTH041", Stage.Training, "grows by [0-9.]+ decades", "limit 3")
{
    public override Subject Sick => new(RecurrentRuleTests.Sums(net => net.Rnn(32, initializers: RecurrentRuleTests.Recurrent(new VarianceScaling(9, FanMode.In, WeightDistribution.Normal))), new Adam(0.002)), RecurrentRuleTests.Adding);

    public override Subject Healthy => RecurrentRuleTests.Rows(net => net.Rnn(32));
}
