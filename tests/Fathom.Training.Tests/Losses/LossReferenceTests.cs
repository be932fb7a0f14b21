using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Training.Tests.Losses;

public sealed class LossReferenceTests
{
    [ReferenceFact]
    public void EveryCaseAgreesWithPyTorch()
    {
        (int passed, IReadOnlyList<string> failures) = ReferenceFamily.Run("loss", new LossReferenceRunner());
        Assert.Empty(failures);
        Assert.True(passed > 0, "the folder has no case of this family");
    }
}
