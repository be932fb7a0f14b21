using Fathom.Diagnosis.Tests.Audit;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class UnequalFeaturesMessage() : MessageCase("FTH014", Stage.Audit, "feature 3 spans [0-9]+, [0-9]+ times as much as feature [124]", "limit 100 times; LeCun et al. 1998")
{
    public override Subject Sick => new(Chain(4, 3), Made.Classes(column: (x, feature) => feature == 2 ? x * 1000 : x));

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}
