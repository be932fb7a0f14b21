using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Training.Tests.Optimizers;

public sealed class OptimizerReferenceTests
{
    [ReferenceFact]
    public void EveryCaseAgreesWithPyTorch()
    {
        (int passed, IReadOnlyList<string> failures) = ReferenceFamily.Run("optimizer", new OptimizerReferenceRunner());
        Assert.Empty(failures);
        Assert.True(passed > 0, "the folder has no case of this family");
    }
}
