using Fathom.Diagnosis.Tests.Audit;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class UnscaledInputMessage() : MessageCase("FTH013", Stage.Audit, "have a root mean square of [0-9]+, where initialization reckons with about 1", "limit 10; LeCun et al. 1998")
{
    public override Subject Sick => new(Chain(4, 3), Made.Classes(inputs: x => 255 * x));

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}

internal sealed class SmallInputMessage() : MessageCase("FTH013", Stage.Audit, "have a root mean square of [0-9.]+", "limit 0.01; LeCun et al. 1998", "small")
{
    public override Subject Sick => new(Chain(4, 3), Made.Classes(inputs: x => 0.003f * x));

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}
