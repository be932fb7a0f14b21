using Fathom.Compute;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training.Execution;

namespace Fathom.Graphs.Tests.Ops;

public sealed class EmbeddingTests
{
    [Xunit.Theory]
    [InlineData(1, 1, new[] { 1 }, -1)]
    [InlineData(5, 3, new[] { 4, 3 }, -1)]
    [InlineData(7, 65, new[] { 2, 2, 3 }, 2)]
    public void GradientsAreTheDerivatives(int vocabulary, int units, int[] shape, int padding)
    {
        double[] upstream = OpRun.Data(OpRun.Count(shape) * units, 3);
        int[] indices = Indices(vocabulary, shape);
        if (padding >= 0)
        {
            // Differences see the padding row move the output, so leave it out of the sum.
            for (int i = 0; i < indices.Length; i++)
            {
                upstream.AsSpan(i * units, indices[i] == padding ? units : 0).Clear();
            }
        }
        Dictionary<string, double[]> inputs = new() { ["weight"] = OpRun.Data(vocabulary * units, 1) };
        Assert.Null(GradientCheck.Mismatch(Make, inputs, new Dictionary<string, double[]> { ["y"] = upstream }));

        GraphRun<double> Make(IReadOnlyDictionary<string, double[]> given)
        {
            GraphRun<double> run = new();
            run.Output("y", run.Builder.Add("op", new Embedding(vocabulary, units, padding), [run.Index("x", shape, indices), run.Real("weight", [vocabulary, units], given["weight"])]), upstream);
            return run;
        }
    }

    [Fact]
    public void ThePaddingRowGetsNoGradientAndRepeatedIndicesAddUp()
    {
        GraphRun<float> run = new();
        Value y = run.Builder.Add("op", new Embedding(3, 2, PaddingIndex: 1), [run.Index("x", [2, 2], [2, 1, 2, 2]), run.Real("weight", [3, 2], [1, 2, 3, 4, 5, 6])]);
        run.Output("y", y, [1f, 10, 2, 20, 4, 40, 8, 80]);
        run.Execute(["weight"]);
        Assert.Equal([5, 6, 3, 4, 5, 6, 5, 6], run.Results["y"]);
        Assert.Equal([0, 0, 0, 0, 13, 130], run.Gradients["weight"]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        float[] expected = Bits(threads: 1);
        Assert.Equal(expected, Bits(threads: 2));
        Assert.Equal(expected, Bits(threads: 4));

        static float[] Bits(int threads)
        {
            int[] shape = [40, 30];
            GraphRun<float> run = new();
            Value y = run.Builder.Add("op", new Embedding(11, 130), [run.Index("x", shape, Indices(11, shape)), run.Real("weight", [11, 130], OpRun.Data(11 * 130, 1).Select(value => (float)value))]);
            run.Output("y", y, OpRun.Data(1200 * 130, 2).Select(value => (float)value));
            run.Execute(["weight"], threads);
            return [.. run.Results["y"], .. run.Gradients["weight"]];
        }
    }

    [Fact]
    public void ThePaddingRowStartsAtZero()
    {
        Graph network = Network.Indices(4).Embedding(6, 3, paddingIndex: 2, name: "table").Build();
        Assert.Equal(Shape.OfSamples(4, 3), network.Output.Shape);
        using ParameterStore<float> store = new(network);
        store.Initialize(1);
        float[] weight = store.Value(store.Find("table.weight")).Span.ToArray();
        Assert.All(weight[6..9], value => Assert.Equal(0, value));
        Assert.DoesNotContain(0f, weight[..6]);
        Assert.Equal(1, ((Parameter)network["table.weight"].Op).Initializer.Variance(new Fans(3, 6)));
    }

    [Xunit.Theory]
    [InlineData(5)]
    [InlineData(-1)]
    public void AnIndexOutOfRangeIsNamed(int wrong)
    {
        GraphRun<float> run = new();
        Value y = run.Builder.Add("op", new Embedding(5, 1), [run.Index("x", [3], [0, 4, wrong]), run.Real("weight", [5, 1], new float[5])]);
        run.Output("y", y);
        string message = Assert.Throws<GraphException>(() => run.Execute()).Message;
        Assert.Equal($"embedding: element 2 of the batch is the index {wrong}; the table has the rows 0 to 4", message);
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (embedding): expected input 0 of indices, given (N, 4)", OpRun.ErrorOf(new Embedding(5, 2), Shape.OfSamples(4)));
        Assert.Equal("layer (embedding): vocabulary is 0; it must be 1 or more", OpRun.ErrorOf(new Embedding(0, 2), Shape.OfSamples(4)));
        Assert.Equal("layer (embedding): units is 0; it must be 1 or more", OpRun.ErrorOf(new Embedding(5, 0), Shape.OfSamples(4)));
        Assert.Equal("layer (embedding): padding_index is 5; it must be an index from 0 to 4, or -1 for none", OpRun.ErrorOf(new Embedding(5, 2, 5), Shape.OfSamples(4)));
    }

    private static int[] Indices(int vocabulary, int[] shape)
    {
        RandomStream random = new(new RandomKey(3, 1, 0));
        int[] indices = new int[OpRun.Count(shape)];
        for (int i = 0; i < indices.Length; i++)
        {
            indices[i] = (int)(random.NextUniform() * vocabulary);
        }
        return indices;
    }
}
