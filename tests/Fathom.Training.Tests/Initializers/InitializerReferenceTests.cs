using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Training.Tests.Initializers;

public sealed class InitializerReferenceTests
{
    [ReferenceFact]
    public void EveryCaseAgreesWithPyTorch()
    {
        (int passed, IReadOnlyList<string> failures) = ReferenceFamily.Run("initializer", new InitializerReferenceRunner());
        Assert.Empty(failures);
        Assert.True(passed > 0, "the folder has no case of this family");
    }
}
