using Fathom.Diagnosis.Tests.Audit;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ClassImbalanceMessage() : MessageCase("FTH017", Stage.Audit, "has 285 training rows, 19 times as many", "limit 10 times; Buda et al. 2018")
{
    public override Subject Sick => new(Chain(4, 2), Made.Classes(labels: i => i % 20 == 0 ? 1 : 0, classes: 2));

    public override Subject Healthy => new(Chain(4, 2), Made.Classes(classes: 2));
}

internal sealed class ClassWithoutRowsMessage() : MessageCase("FTH017", Stage.Audit, "has 0 of 400 training rows", "expected: 1 or more", "empty")
{
    public override Subject Sick => new(CommonMistakeTests.Network6(classes: 4), CommonMistakeTests.Rows(label: label => label + 1));

    public override Subject Healthy => new(CommonMistakeTests.Network6(), CommonMistakeTests.Rows());
}
