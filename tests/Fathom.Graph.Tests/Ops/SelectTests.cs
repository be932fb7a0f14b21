using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class SelectTests
{
    [Fact]
    public void OneIndexIsTaken()
    {
        double[] x = [.. Enumerable.Range(0, 24).Select(i => (double)i)];
        Assert.Equal([8, 9, 10, 11, 20, 21, 22, 23], Run(new Select()).Results["y"]);
        Assert.Equal([0, 1, 2, 3, 12, 13, 14, 15], Run(new Select(0)).Results["y"]);
        GraphRun<double> run = Run(new Select(-3, -1));
        Assert.Equal([1, 5, 9, 13, 17, 21], run.Results["y"]);
        Assert.Equal(x.Select(value => value % 4 == 1 ? 1.0 : 0), run.Gradients["x"]);

        GraphRun<double> Run(Op op)
        {
            GraphRun<double> made = new();
            Value y = made.Builder.Add("op", op, [made.Real("x", [2, 3, 4], x)]);
            made.Output("y", y, Enumerable.Repeat(1.0, (int)y.Shape.ElementsPerSample));
            made.Execute(["x"]);
            return made;
        }
    }

    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new Select(), training: true, [[3, 4, 5]]);
        OpRun.CheckGradient(new Select(2, 3), training: true, [[2, 1, 3, 4]]);
        OpRun.CheckGradient(new Select(0, 1), training: true, [[2, 1]]);
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (select): index is 3; it must be from -3 to 2 on axis 1 of shape (N, 3, 4)", OpRun.ErrorOf(new Select(3), Shape.OfSamples(3, 4)));
        Assert.Equal("layer (select): axis is 3; it must be from -3 to 2 for shape (N, 3, 4)", OpRun.ErrorOf(new Select(0, 3), Shape.OfSamples(3, 4)));
        Assert.Equal("layer (select): axis is 0; it must be an axis of fixed size, which axis 0 of shape (N, 3) is not", OpRun.ErrorOf(new Select(0, 0), Shape.OfSamples(3)));
    }
}
