using Fathom.Diagnosis.Tests.Audit;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class TargetAmongInputsMessage() : MessageCase("FTH027", Stage.Audit, "Feature 7 of 'rows' tells the target in all 400 training rows", "limit 20 rows; leakage, Kaufman et al. 2012")
{
    public override Subject Sick => new(CommonMistakeTests.Network6(inputs: 7), CommonMistakeTests.Rows((x, label) => [.. x, label]));

    public override Subject Healthy => new(CommonMistakeTests.Network6(inputs: 7), CommonMistakeTests.Rows((x, label) => [.. x, x[0] + x[1]]));
}
