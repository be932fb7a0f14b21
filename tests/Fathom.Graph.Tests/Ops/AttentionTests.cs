using Fathom.Compute;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class AttentionTests
{
    public static TheoryData<ScaledDotProductAttention, int[], int[], int> Products => new()
    {
        { new(), [1, 1], [1, 1], 1 },
        { new(), [5, 3], [7, 3], 4 },
        { new(Causal: true), [2, 6, 3], [2, 6, 3], 3 },
        { new(Causal: true), [2, 3, 4, 5], [2, 3, 9, 5], 2 },
        { new(Masked: true), [3, 2, 4, 5], [3, 2, 19, 5], 3 },
        { new(Causal: true, Masked: true, PairMasked: true), [2, 5, 3], [2, 5, 3], 3 },
        { new(Masked: true), [2, 19, 3], [2, 37, 3], 2 }, // more than one block of rows, and of lanes
    };

    public static TheoryData<MultiHeadAttention, int[]> Heads => new()
    {
        // Samples, length and width of the query; then length and width of the key, and of the value.
        { new(1), [1, 1, 1] },
        { new(2), [2, 5, 4] },
        { new(3, Causal: true, Bias: false), [2, 4, 6] },
        { new(2, Masked: true, HeadUnits: 3), [3, 3, 5] },
        { new(2, QkNorm: QueryKeyNorm.Rms), [2, 3, 6] },
        { new(2, QkNorm: QueryKeyNorm.Layer, Causal: true, Bias: false), [2, 3, 10] },
        { new(2), [2, 3, 4, 5, 4] },
        { new(2, KeyUnits: 3, ValueUnits: 3, Masked: true), [2, 3, 4, 5, 3] },
        { new(2, KeyUnits: 3, ValueUnits: 5, QkNorm: QueryKeyNorm.Rms), [2, 3, 4, 2, 3, 2, 5] },
        { new(2, Masked: true), [2, 3, 4, 2, 4, 2, 4] },
        { new(2, Dropout: 0.4), [2, 5, 4] },
    };

    [Xunit.Theory, MemberData(nameof(Products))]
    public void GradientsOfTheProductAreTheDerivatives(ScaledDotProductAttention op, int[] query, int[] key, int units)
    {
        List<(string, int[])> reals = [("query", query), ("key", key), ("value", [.. key[..^1], units])];
        List<(string, int[])> masks = [];
        if (op.Masked)
        {
            masks.Add(("mask", [key[0], key[^2]]));
        }
        if (op.PairMasked)
        {
            masks.Add(("pairs", [query[^2], key[^2]]));
        }
        Check(op, [.. reals], [.. masks], [.. query[..^1], units]);
    }

    [Xunit.Theory, MemberData(nameof(Heads))]
    public void GradientsOfTheHeadsAreTheDerivatives(MultiHeadAttention op, int[] extents) =>
        Check(op, Reals(op, extents), op.Masked ? [("mask", [extents[0], extents.Length > 3 ? extents[3] : extents[1]])] : [], [.. extents[..3]]);

    /// <summary>As PyTorch's softmax over scores with −∞ in hidden places, so that a lost row shows wherever it is looked at.</summary>
    [Fact]
    public void ARowWithAScoreThatIsNoNumberIsLostInHiddenPlacesToo()
    {
        GraphRun<float> run = new();
        Value q = run.Real("q", [3, 1], [1, float.NaN, 1]);
        Value k = run.Real("k", [3, 1], [1, 2, 3]);
        run.Output("a", new Value(run.Builder.Add("op", new ScaledDotProductAttention(Causal: true), [q, k, k]).Node, 1));
        run.Execute([]);
        Assert.Equal([false, false, false, true, true, true, false, false, false], run.Results["a"].Select(float.IsNaN));
        Assert.Equal([1f, 0, 0], run.Results["a"][..3]);
    }

    [Fact]
    public void WhoSeesNothingGetsNothing()
    {
        GraphRun<float> run = new();
        Value q = run.Real("q", [2, 2, 1], [1, 2, 3, 4]);
        Value y = run.Builder.Add("op", new ScaledDotProductAttention(Masked: true), [q, q, q, run.Real("mask", [2, 2], [0, 0, 0, 1])]);
        run.Output("y", y, [1f, 1, 1, 1]);
        run.Output("attention", new Value(y.Node, 1));
        run.Execute(["q"]);
        Assert.Equal([0, 0, 4, 4], run.Results["y"]);
        Assert.Equal([0, 0, 0, 0, 0, 1, 0, 1], run.Results["attention"]);
        Assert.Equal([0, 0, 0, 2], run.Gradients["q"]);
    }

    [Fact]
    public void LargeScoresStayFinite()
    {
        GraphRun<float> run = new();
        Value y = run.Builder.Add("op", new ScaledDotProductAttention(), [run.Real("q", [1, 3], [-1000, 0, 0]), run.Real("k", [2, 3], [1000, 0, 0, 999, 0, 0]), run.Real("v", [2, 1], [1, 2])]);
        run.Output("y", y);
        run.Execute();
        Assert.Equal([2f], run.Results["y"]);
    }

    [Fact]
    public void AMaskLeavesWhatItHidesOut()
    {
        // The same as attention over the first three places only.
        float[] x = [.. OpRun.Data(5 * 4, 1).Select(value => (float)value)];
        MultiHeadAttention op = new(2);
        float[] whole = Output(op with { Masked = true }, x, 5, [1, 1, 1, 0, 0]);
        float[] part = Output(op, x[..12], 3, null);
        for (int i = 0; i < part.Length; i++)
        {
            Assert.Equal(part[i], whole[i], 1e-6);
        }

        static float[] Output(MultiHeadAttention op, float[] x, int length, float[]? mask)
        {
            GraphRun<float> run = new();
            List<Value> inputs = [run.Real("query", [1, length, 4], x)];
            if (mask is not null)
            {
                inputs.Add(run.Real("mask", [1, length], mask));
            }
            inputs.AddRange(Parameters(run, op, inputs.ToArray()));
            run.Output("y", run.Builder.Add("op", op, inputs.ToArray()));
            run.Execute();
            return run.Results["y"];
        }
    }

    [Fact]
    public void DropoutIsOffInEvaluation()
    {
        float[] training = Bits(new MultiHeadAttention(2, Dropout: 0.5), 1);
        float[] evaluation = Bits(new MultiHeadAttention(2, Dropout: 0.5), 1, training: false);
        Assert.NotEqual(training, evaluation);
        Assert.Equal(Bits(new MultiHeadAttention(2), 1), evaluation);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach (MultiHeadAttention op in new MultiHeadAttention[] { new(2), new(2, QkNorm: QueryKeyNorm.Layer, Causal: true), new(2, Dropout: 0.3) })
        {
            float[] expected = Bits(op, threads: 1);
            Assert.All(expected, value => Assert.True(float.IsFinite(value)));
            Assert.Equal(expected, Bits(op, threads: 2));
            Assert.Equal(expected, Bits(op, threads: 4));
        }
        float[] product = OpRun.Bits(new ScaledDotProductAttention(), threads: 1, [80, 3, 17, 9], [80, 3, 11, 9], [80, 3, 11, 5]);
        Assert.Equal(product, OpRun.Bits(new ScaledDotProductAttention(), threads: 4, [80, 3, 17, 9], [80, 3, 11, 9], [80, 3, 11, 5]));
    }

    [Fact]
    public void ParametersAreNamedAsInPyTorch()
    {
        Graph plain = Network.Input(7, 8).MultiHeadAttention(2, name: "self_attn").Build();
        Assert.Equal(["self_attn.in_proj_weight (24, 8)", "self_attn.in_proj_bias (24)", "self_attn.out_proj.weight (8, 8)", "self_attn.out_proj.bias (8)"],
            plain.Parameters.Select(node => $"{node.Name} {node.Outputs[0].Shape}"));
        Assert.Equal(2.0 / 16, ((Parameter)plain["self_attn.in_proj_weight"].Op).Initializer.Variance(new Fans(8, 24)), 1e-12);
        NetworkCursor x = Network.Input(7, 8);
        Graph cross = x.CrossAttention(x.Dense(6, name: "source"), 4, name: "a").Build();
        Assert.Equal(["a.q_proj_weight (8, 8)", "a.k_proj_weight (8, 6)", "a.v_proj_weight (8, 6)", "a.in_proj_bias (24)", "a.out_proj.weight (8, 8)", "a.out_proj.bias (8)"],
            cross.Parameters.Where(node => node.Name.StartsWith("a.", StringComparison.Ordinal)).Select(node => $"{node.Name} {node.Outputs[0].Shape}"));
        Assert.Equal(Shape.OfSamples(4, 7, 7), new Value(cross.Output.Node, 1).Shape);
    }

    [Fact]
    public void AMaskIsMadeFromIndicesOrFeatures()
    {
        GraphRun<float> run = new();
        run.Output("tokens", run.Builder.Add("a", new PaddingMask(PaddingIndex: 7), [run.Index("x", [2, 3], [7, 0, 1, 2, 7, 7])]));
        run.Output("features", run.Builder.Add("b", new PaddingMask(MaskValue: -1), [run.Real("y", [1, 3, 2], [-1, -1, -1, 0, 2, 3])]));
        run.Execute();
        Assert.Equal([0, 1, 1, 1, 0, 0], run.Results["tokens"]);
        Assert.Equal([0, 1, 1], run.Results["features"]);
        Assert.Equal("layer (padding_mask): expected indices (N, T) or real features (N, T, F), given (N, 4)", OpRun.ErrorOf(new PaddingMask(), Shape.OfSamples(4)));
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (multi_head_attention): heads is 3; it must be a divisor of the query's width, which is 8, unless head_units is given", OpRun.ErrorOf(new MultiHeadAttention(3), Shape.OfSamples(5, 8)));
        Assert.Equal("layer (multi_head_attention): heads is 0; it must be 1 or more", OpRun.ErrorOf(new MultiHeadAttention(0), Shape.OfSamples(5, 8)));
        Assert.Equal("layer (multi_head_attention): dropout is 1; it must be 0 or more and below 1", OpRun.ErrorOf(new MultiHeadAttention(2, Dropout: 1), Shape.OfSamples(5, 8)));
        Assert.Equal("layer (multi_head_attention): expected input 0 of rank 3, given shape (N, 8)", OpRun.ErrorOf(new MultiHeadAttention(2), Shape.OfSamples(8)));
        Assert.Equal("layer (multi_head_attention): expected 1 to 3 data inputs (query, key, value) and a mask, given 1", OpRun.ErrorOf(new MultiHeadAttention(2, Masked: true), Shape.OfSamples(5, 8)));
        Assert.Equal("layer (multi_head_attention): expected a key (N, S, 8), given shape (N, 5, 6); key_units and value_units say where widths differ from the query's",
            OpRun.ErrorOf(new MultiHeadAttention(2), Shape.OfSamples(5, 8), Shape.OfSamples(5, 6)));
        Assert.Equal("layer (multi_head_attention): expected input 1 of shape (N, 5), given shape (N, 4)", OpRun.ErrorOf(new MultiHeadAttention(2, Masked: true), Shape.OfSamples(5, 8), Shape.OfSamples(4)));
        Assert.Equal("layer (scaled_dot_product_attention): expected a key that agrees with the query (N, 5, 8) in all axes but the last but one, given shape (N, 5, 6)",
            OpRun.ErrorOf(new ScaledDotProductAttention(), Shape.OfSamples(5, 8), Shape.OfSamples(5, 6), Shape.OfSamples(5, 6)));
        Assert.Equal("layer (scaled_dot_product_attention): expected a value that agrees with the key (N, 5, 8) in all axes but the last, given shape (N, 4, 8)",
            OpRun.ErrorOf(new ScaledDotProductAttention(), Shape.OfSamples(5, 8), Shape.OfSamples(5, 8), Shape.OfSamples(4, 8)));
    }

    private static void Check(Op op, (string Name, int[] Shape)[] reals, (string Name, int[] Shape)[] masks, int[] output)
    {
        Dictionary<string, double[]> inputs = reals.ToDictionary(real => real.Name, real => OpRun.Data(OpRun.Count(real.Shape), RandomKey.StreamOf(real.Name), 1));
        double[] upstream = OpRun.Data(OpRun.Count(output), 99);
        Assert.Null(GradientCheck.Mismatch(Make, inputs, new Dictionary<string, double[]> { ["y"] = upstream }));

        GraphRun<double> Make(IReadOnlyDictionary<string, double[]> given)
        {
            GraphRun<double> run = new();
            List<Value> values = [.. reals.Where(IsData).Select(real => run.Real(real.Name, real.Shape, given[real.Name]))];
            values.AddRange(masks.Select(mask => run.Real(mask.Name, mask.Shape, Visible(mask.Shape))));
            values.AddRange(reals.Where(real => !IsData(real)).Select(real => run.Real(real.Name, real.Shape, given[real.Name])));
            run.Output("y", run.Builder.Add("op", op, values.ToArray()), upstream);
            return run;
        }

        static bool IsData((string Name, int[] Shape) real) => real.Name is "query" or "key" or "value";
    }

    /// <summary>Two of three keys, the first row only hidden ones.</summary>
    private static IEnumerable<double> Visible(int[] shape) => Enumerable.Range(0, OpRun.Count(shape)).Select(i => i < shape[^1] || i % 3 == 1 ? 0.0 : 1.0);

    private static (string, int[])[] Reals(MultiHeadAttention op, int[] extents)
    {
        List<(string, int[])> reals = [("query", extents[..3])];
        for (int i = 3; i < extents.Length; i += 2)
        {
            reals.Add((i == 3 ? "key" : "value", [extents[0], extents[i], extents[i + 1]]));
        }
        TensorType[] types = [.. reals.Select(real => new TensorType(Shape.Of([.. real.Item2.Select(extent => new Dim(extent))])))];
        reals.AddRange(op.Slots(types).Select(slot => (slot.Name, slot.Shape.Bind(1))));
        return [.. reals];
    }

    private static IEnumerable<Value> Parameters(GraphRun<float> run, MultiHeadAttention op, Value[] data) =>
        op.Slots([.. data.Select(value => value.Type)]).Select(slot => run.Real(slot.Name, slot.Shape.Bind(1), OpRun.Data((int)slot.Shape.ElementsPerSample, RandomKey.StreamOf(slot.Name), 0.5).Select(value => (float)value)));

    private static float[] Bits(MultiHeadAttention op, int threads, bool training = true)
    {
        GraphRun<float> run = new() { Training = training };
        Value query = run.Real("query", [70, 9, 12], OpRun.Data(70 * 9 * 12, 1).Select(value => (float)value));
        run.Output("y", run.Builder.Add("op", op, [query, .. Parameters(run, op, [query])]), OpRun.Data(70 * 9 * 12, 2).Select(value => (float)value));
        run.Execute([.. run.Inputs.Keys], threads);
        return [.. run.Results["y"], .. run.Gradients.OrderBy(pair => pair.Key, StringComparer.Ordinal).SelectMany(pair => pair.Value)];
    }
}
