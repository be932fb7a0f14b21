using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Training.Tests.Schedules;

public sealed class ScheduleReferenceTests
{
    [ReferenceFact]
    public void EveryCaseAgreesWithPyTorch()
    {
        (int passed, IReadOnlyList<string> failures) = ReferenceFamily.Run("schedule", new ScheduleReferenceRunner());
        Assert.Empty(failures);
        Assert.True(passed > 0, "the folder has no case of this family");
    }
}
