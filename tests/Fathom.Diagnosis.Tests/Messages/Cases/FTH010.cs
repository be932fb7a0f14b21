using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class MismatchedOutputMessage() : MessageCase("FTH010", Stage.Audit, @"softmax_1 \(softmax\) gives probabilities", "takes logits")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(3).Softmax().Build(), new CrossEntropy()), Made.Classes());

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}

internal sealed class OneColumnSoftmaxMessage() : MessageCase("FTH010", Stage.Audit, "a softmax of one column", "always 1", "one-column")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Softmax().Build(), new BinaryCrossEntropy(FromLogits: false)), Made.Classes(classes: 2));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Sigmoid().Build(), new BinaryCrossEntropy(FromLogits: false)), Made.Classes(classes: 2));
}
