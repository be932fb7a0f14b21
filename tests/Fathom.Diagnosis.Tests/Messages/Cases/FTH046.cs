using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class TokenCollapseMessage() : MessageCase("FTH046", Stage.Training, "differ by [0-9.e-]+ of their norm", "1e-3 is the limit")
{
    public override Subject Sick => AttentionRuleTests.Model(AttentionRuleTests.WithoutSkips, new Adam(0.002), epochs: 2);

    public override Subject Healthy => AttentionRuleTests.Model(AttentionRuleTests.Transformer(1), new Adam(0.002));

    /// <summary>Differences of 1e-7 are rounding themselves.</summary>
    public override double Rounding => 1;
}
