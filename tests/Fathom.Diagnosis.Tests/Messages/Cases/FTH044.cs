using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class EntropyCollapseMessage() : MessageCase("FTH044", Stage.Training, "have [0-9.e-]+ % of a uniform row's entropy", "2 % is the limit")
{
    public override Subject Sick => AttentionRuleTests.Model(AttentionRuleTests.Transformer(2), new Adam(0.3, 0.1, 0.1));

    public override Subject Healthy => AttentionRuleTests.Model(AttentionRuleTests.Transformer(1), new Adam(0.002));

    /// <summary>Steps so long end elsewhere with other rounding.</summary>
    public override double Rounding => 1;
}
