using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class FadingStatesMessage() : MessageCase("FTH040", Stage.Training, "falls by [0-9.]+ decades", "limit 1")
{
    public override Subject Sick => new(RecurrentRuleTests.Sums(net => net.Rnn(32), new Adam(0.002)), RecurrentRuleTests.Adding);

    public override Subject Healthy => RecurrentRuleTests.Rows(net => net.Rnn(32));
}
