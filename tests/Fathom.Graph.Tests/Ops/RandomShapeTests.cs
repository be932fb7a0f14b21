using Fathom.Compute;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>
/// The kernels with the most cases, on shapes and settings that are drawn (always the same ones), against plain loops in
/// double. A gradient g is held against the plain function f along a drawn direction v: ⟨g, v⟩ = ∂/∂ε ⟨upstream, f(x + εv)⟩.
/// </summary>
public sealed class RandomShapeTests
{
    private const double Step = 1e-5;

    [Xunit.Theory, InlineData(1), InlineData(2), InlineData(3)]
    public void Convolution(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 25; i++)
        {
            (ConvolutionOp op, int[][] shapes) = Draw(random);
            Check(op, [.. shapes.Select((shape, k) => ((string, int[]))($"x{k}", shape))], [],
                given => new() { ["y"] = ConvolutionTests.Definition(op, shapes, [.. given.Values]) }, random);
            Assert.Equal(OpRun.Bits(op, 1, shapes), OpRun.Bits(op, 3, shapes));
        }
    }

    [Xunit.Theory, InlineData(1), InlineData(2)]
    public void Attention(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 20; i++)
        {
            ScaledDotProductAttention op = new(random.Next(2) == 0, random.Next(2) == 0, random.Next(2) == 0);
            (int n, int heads, int t, int s, int d, int e) = (1 + random.Next(3), 1 + random.Next(3), 1 + random.Next(20), 1 + random.Next(37), 1 + random.Next(19), 1 + random.Next(19));
            List<(string, int[])> reals = [("q", [n, heads, t, d]), ("k", [n, heads, s, d]), ("v", [n, heads, s, e])];
            List<(string, int[])> masks = [];
            if (op.Masked)
            {
                masks.Add(("keys", [n, s]));
            }
            if (op.PairMasked)
            {
                masks.Add(("pairs", [t, s]));
            }
            Check(op, reals, masks, given => new() { ["y"] = PlainAttention(op, given, n, heads, t, s, d, e) }, random);
        }
    }

    [Xunit.Theory, InlineData(1), InlineData(2)]
    public void Recurrence(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 24; i++)
        {
            (int n, int t, int f, int units) = (1 + random.Next(19), 1 + random.Next(9), 1 + random.Next(18), 1 + random.Next(21));
            (bool bias, bool second, bool reverse, bool masked) = (random.Next(3) > 0, random.Next(2) == 0, random.Next(2) == 0, random.Next(2) == 0);
            int truncate = random.Next(2) * (1 + random.Next(4));
            RecurrentLayer op = (i % 4) switch
            {
                0 => new Rnn(units, RecurrentActivation.Tanh, bias, second, reverse, masked, truncate),
                1 => new Lstm(units, bias, second, reverse, masked, truncate),
                _ => new Gru(units, i % 4 == 2, bias, second, reverse, masked, truncate),
            };
            int rows = op.Gates * units;
            List<(string, int[])> reals = [("x", [n, t, f])];
            int states = random.Next(op.States + 1);
            reals.AddRange(new (string, int[])[] { ("h0", [n, units]), ("c0", [n, units]) }.Take(states));
            reals.AddRange([("weight_ih", [rows, f]), ("weight_hh", [rows, units])]);
            reals.AddRange(new (string, int[])[] { ("bias_ih", [rows]), ("bias_hh", [rows]) }.Take(bias ? second ? 2 : 1 : 0));
            double[][]? kept = null;
            Check(op, reals, masked ? [("mask", [n, t])] : [], given => PlainRecurrence.Run(op, given, n, t, f, ref kept), random);
        }
    }

    private static (ConvolutionOp Op, int[][] Shapes) Draw(Random random)
    {
        int groups = 1 + random.Next(3);
        (int perGroup, int filters) = (1 + random.Next(5), groups * (1 + random.Next(random.Next(3) == 0 ? 17 : 4)));
        Size2d kernel = new(1 + random.Next(4), 1 + random.Next(5));
        Size2d stride = new(1 + random.Next(4), 1 + random.Next(4));
        Size2d dilation = new(1 + random.Next(3), 1 + random.Next(3));
        Padding padding = random.Next(3) switch { 0 => Padding.Same, 1 => Padding.Valid, _ => new Padding(random.Next(4), random.Next(6)) };
        (bool bias, bool last) = (random.Next(2) == 0, random.Next(2) == 0);
        int height = (kernel.Height - 1) * dilation.Height + 1 + random.Next(9);
        int width = (kernel.Width - 1) * dilation.Width + 1 + random.Next(random.Next(2) == 0 ? 40 : 7);
        (int n, int c) = (1 + random.Next(3), groups * perGroup);
        int[][] shapes = [last ? [n, height, width, c] : [n, c, height, width], [filters, perGroup, kernel.Height, kernel.Width], .. bias ? [[filters]] : Array.Empty<int[]>()];
        return (new Conv2d(filters, kernel, stride, padding, dilation, groups, bias, last), shapes);
    }

    private static double[] PlainAttention(ScaledDotProductAttention op, Dictionary<string, double[]> given, int n, int heads, int t, int s, int d, int e)
    {
        double[] y = new double[n * heads * t * e];
        for (int row = 0; row < n * heads * t; row++)
        {
            (int matrix, int query) = (row / t, row % t);
            double[] weights = new double[s];
            for (int key = 0; key < s; key++)
            {
                bool seen = !(op.Causal && key > query) && !(op.Masked && given["keys"][matrix / heads * s + key] == 0) && !(op.PairMasked && given["pairs"][query * s + key] == 0);
                double score = Enumerable.Range(0, d).Sum(i => given["q"][row * d + i] * given["k"][(matrix * s + key) * d + i]);
                weights[key] = seen ? Math.Exp(score / Math.Sqrt(d)) : 0;
            }
            double sum = weights.Sum();
            for (int i = 0; i < e && sum > 0; i++)
            {
                y[row * e + i] = Enumerable.Range(0, s).Sum(key => weights[key] / sum * given["v"][(matrix * s + key) * e + i]);
            }
        }
        return y;
    }

    /// <param name="op">The op.</param>
    /// <param name="reals">What it is differentiated by, in the order of its inputs; masks stand before parameters.</param>
    /// <param name="masks">Inputs of 0 and 1 behind the data.</param>
    /// <param name="plain">The plain function: what comes out by name.</param>
    /// <param name="random">Draws masks and direction.</param>
    private static void Check(Op op, IReadOnlyList<(string Name, int[] Shape)> reals, IReadOnlyList<(string Name, int[] Shape)> masks,
        Func<Dictionary<string, double[]>, Dictionary<string, double[]>> plain, Random random)
    {
        uint stream = (uint)random.Next(1 << 20);
        Dictionary<string, double[]> given = reals.ToDictionary(real => real.Name, real => OpRun.Data(OpRun.Count(real.Shape), RandomKey.StreamOf(real.Name) + stream, 0.7));
        foreach ((string name, int[] shape) in masks)
        {
            given[name] = [.. Enumerable.Range(0, OpRun.Count(shape)).Select(_ => random.Next(3) == 0 ? 0.0 : 1)];
        }
        Dictionary<string, double[]> expected = plain(given);
        Dictionary<string, double[]> upstream = expected.ToDictionary(pair => pair.Key, pair => OpRun.Data(pair.Value.Length, RandomKey.StreamOf(pair.Key)));
        GraphRun<double> run = new();
        int data = op is RecurrentLayer ? 1 : reals.Count;
        Value[] values = [.. reals.Take(data).Concat(masks).Concat(reals.Skip(data)).Select(input => run.Real(input.Name, input.Shape, given[input.Name]))];
        Node node = run.Builder.Add("op", op, values).Node;
        foreach (string name in expected.Keys)
        {
            run.Output(name, new Value(node, name switch { "h_n" => 1, "c_n" => 2, _ => 0 }), upstream[name]);
        }
        run.Execute([.. reals.Select(real => real.Name)], threads: 2);
        string what = $"{op} on {string.Join(", ", reals.Select(real => $"{real.Name} ({string.Join(", ", real.Shape)})"))}";
        foreach ((string name, double[] y) in expected)
        {
            Assert.Equal(y.Length, run.Results[name].Length);
            double error = y.Zip(run.Results[name], (a, b) => Math.Abs(a - b)).Max();
            Assert.True(error < 1e-9, $"{what}: {name} differs by {error}");
        }
        foreach ((string name, int[] shape) in reals)
        {
            double[] direction = OpRun.Data(OpRun.Count(shape), stream + 77, 1);
            double expectedSlope = (Along(name, direction, Step) - Along(name, direction, -Step)) / (2 * Step);
            double slope = run.Gradients[name].Zip(direction, (a, b) => a * b).Sum();
            Assert.True(Math.Abs(slope - expectedSlope) <= 1e-5 * Math.Max(1, Math.Abs(expectedSlope)), $"{what}: gradient by {name} gives {slope}, differences give {expectedSlope}");
        }

        double Along(string name, double[] direction, double step)
        {
            Dictionary<string, double[]> moved = new(given) { [name] = [.. given[name].Zip(direction, (a, b) => a + step * b)] };
            return plain(moved).Sum(pair => pair.Value.Zip(upstream[pair.Key], (a, b) => a * b).Sum());
        }
    }
}
