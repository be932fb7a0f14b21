namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>A row whose target is a thousand times the others'.</summary>
internal sealed class LossSpikeMessage() : MessageCase("FTH050", Stage.Training, "the median of the steps before, [0-9.]+ robust deviations", "limit 6")
{
    public override Subject Sick => new(RunRuleTests.Line(1), RunRuleTests.Linear(outlier: true));

    public override Subject Healthy => new(RunRuleTests.Line(12), RunRuleTests.Linear(outlier: false));
}
