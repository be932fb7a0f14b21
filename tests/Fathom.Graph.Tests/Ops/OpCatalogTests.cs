using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class OpCatalogTests
{
    [Fact]
    public void EveryOpThatALayerMayBeIsListed()
    {
        // Whatever has a verb of its own can be named by a model file.
        string[] verbs =
        [
            .. typeof(Op).Assembly.GetTypes().Where(type => type.Name.EndsWith("Layer", StringComparison.Ordinal) && type.IsSealed && type.IsAbstract)
                .Select(type => type.Name[..^"Layer".Length]),
        ];
        Assert.NotEmpty(verbs);
        string[] listed = [.. OpCatalog.ByKind.Values.Select(op => op.GetType().Name), .. BlockCatalog.ByKind.Values.Select(block => block.GetType().Name)];
        Assert.Empty(verbs.Except(listed));
    }

    [Fact]
    public void OpsAreValues()
    {
        Assert.Equal(new Swish(1.5), new Swish(1.5));
        Assert.NotEqual<Op>(new Swish(1), new Silu());
    }
}
