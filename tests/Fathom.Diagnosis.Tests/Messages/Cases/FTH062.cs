namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LabelNoiseMessage() : MessageCase("FTH062", Stage.Training, "For [0-9.]+ % of 512 training rows", "limit 3 %")
{
    public override Subject Sick => new(OptimizerRuleTests.Clusters.Model, OptimizerRuleTests.Clusters.Data(wrong: 0.1));

    public override Subject Healthy => new(OptimizerRuleTests.Clusters.Model, OptimizerRuleTests.Clusters.Data(wrong: 0));
}
