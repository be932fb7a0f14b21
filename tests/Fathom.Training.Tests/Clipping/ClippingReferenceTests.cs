using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Training.Tests.Clipping;

public sealed class ClippingReferenceTests
{
    [ReferenceFact]
    public void EveryCaseAgreesWithPyTorch()
    {
        (int passed, IReadOnlyList<string> failures) = ReferenceFamily.Run("clipping", new ClippingReferenceRunner());
        Assert.Empty(failures);
        Assert.True(passed > 0, "the folder has no case of this family");
    }
}
