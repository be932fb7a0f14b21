using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class StuckGateMessage() : MessageCase("FTH042", Stage.Training, "for [0-9.]+ % of its values", "where [0-9.]+ % is the limit")
{
    public override Subject Sick => VanishingOverTimeInTrainingMessage.Rows(net => net.Lstm(32, initializers: new Dictionary<string, Initializer> { ["bias_ih"] = new ConstantInitializer(-12) }));

    public override Subject Healthy => VanishingOverTimeInTrainingMessage.Rows(net => net.Lstm(32));
}
