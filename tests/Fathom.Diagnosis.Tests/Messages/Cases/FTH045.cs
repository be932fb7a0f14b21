using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LogitGrowthMessage() : MessageCase("FTH045", Stage.Training, "reach [0-9.e+]+", "100 is the limit")
{
    public override Subject Sick => AttentionRuleTests.LargeQueries;

    public override Subject Healthy => AttentionRuleTests.Model(AttentionRuleTests.Transformer(1), new Adam(0.002));
}
