using Fathom.Diagnosis.Tests.Audit;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ConstantInputMessage() : MessageCase("FTH015", Stage.Audit, "2 of 4 features", "limit 50 % of them")
{
    public override Subject Sick => new(Chain(4, 3), Made.Classes(column: (x, feature) => feature < 2 ? 1 : x));

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}

internal sealed class NothingButConstantsMessage() : MessageCase("FTH015", Stage.Audit, "All 4 features", "limit 50 % of them", "all")
{
    public override Subject Sick => new(Chain(4, 3), Made.Classes(column: (_, _) => 1));

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}
