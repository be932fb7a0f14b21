using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Execution;
using Fathom.Training.Regularization;

namespace Fathom.Training.Tests.Regularization;

public sealed class RegularizerTests
{
    public static TheoryData<Regularizer, int, int> Penalties
    {
        get
        {
            TheoryData<Regularizer, int, int> cases = [];
            foreach ((int inputs, int units) in new[] { (1, 1), (5, 3), (3, 7), (33, 17) })
            {
                cases.Add(new L1(0.3), inputs, units);
                cases.Add(new L2(0.3), inputs, units);
                cases.Add(new Orthogonality(0.3), inputs, units);
                cases.Add(new Orthogonality(0.3, Gain: 1.5), inputs, units);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Penalties))]
    public void ThePenaltysGradientIsThatOfItsValue(Regularizer rule, int inputs, int units)
    {
        Graph network = Network.Input(inputs).Dense(units).Build();
        using ParameterStore<double> store = Filled(network);
        using RegularizerSet<double> set = new(network, store, [rule], 1);
        ParameterSlice weight = store.Find("dense_1.weight");
        store.Gradient(weight).Span.Fill(0.25);
        double penalty = set.AddToGradients(0, WorkerPool.Single);
        Assert.Equal(Penalty(rule, units, inputs, store.Value(weight)), penalty, 1e-9 * (1 + penalty));
        double[] gradient = store.Gradient(weight).Span.ToArray();
        for (int i = 0; i < gradient.Length; i++)
        {
            ref double w = ref store.Value(weight).Span[i];
            double old = w;
            w = old + 1e-5;
            double above = Penalty(rule, units, inputs, store.Value(weight));
            w = old - 1e-5;
            double below = Penalty(rule, units, inputs, store.Value(weight));
            w = old;
            double slope = (above - below) / 2e-5;
            Assert.Equal(0.25 + slope, gradient[i], 1e-6 * (1 + Math.Abs(slope)));
        }
        Assert.All(store.Gradient(store.Find("dense_1.bias")).Span.ToArray(), element => Assert.Equal(0, element));
    }

    [Fact]
    public void L1HasNoSlopeAtZero()
    {
        Graph network = Network.Input(2).Dense(2).Build();
        using ParameterStore<float> store = new(network);
        using RegularizerSet<float> set = new(network, store, [new L1(0.5)], 1);
        new float[] { 0, -2, 3, -0f }.CopyTo(store.Value(store.Find("dense_1.weight")).Span);
        Assert.Equal(2.5, set.AddToGradients(0, WorkerPool.Single));
        Assert.Equal([0, -0.5f, 0.5f, 0], store.Gradient(store.Find("dense_1.weight")).Span.ToArray());
    }

    [Fact]
    public void MaxNormBoundsEachUnitAndLeavesTheOthers()
    {
        Graph network = Network.Input(19).Dense(8).Build();
        using ParameterStore<double> store = Filled(network);
        Span<double> weight = store.Value(store.Find("dense_1.weight"));
        double[] before = weight.ToArray();
        double limit = Enumerable.Range(0, 8).Select(unit => GradientNorm.Of<double>(before.AsSpan(unit * 19, 19))).Order().ElementAt(4);
        using RegularizerSet<double> set = new(network, store, [new MaxNorm(limit)], 1);
        set.Project(0, WorkerPool.Single);
        int shrunk = 0;
        for (int unit = 0; unit < 8; unit++)
        {
            double norm = GradientNorm.Of<double>(before.AsSpan(unit * 19, 19));
            shrunk += norm > limit ? 1 : 0;
            for (int i = unit * 19; i < (unit + 1) * 19; i++)
            {
                Assert.Equal(norm > limit ? before[i] * limit / norm : before[i], weight[i], norm > limit ? 1e-12 : 0);
            }
        }
        Assert.Equal(3, shrunk);
    }

    [Fact]
    public void NoiseHasItsVarianceAndItsOwnNumbersInEveryStep()
    {
        Graph network = Network.Input(300).Dense(101).Build();
        double[] first = Noise(network, new GradientNoise(0.3, 0.55), 0, 1);
        double[] tenth = Noise(network, new GradientNoise(0.3, 0.55), 9, 1);
        Assert.Equal(0, first.Average(), 0.02);
        Assert.Equal(0.3, first.Average(x => x * x), 0.3 * 0.05);
        Assert.Equal(0.3 / Math.Pow(10, 0.55), tenth.Average(x => x * x), 0.1 * 0.05);
        Assert.Equal(0, first.Zip(tenth, (a, b) => a * b).Average(), 0.01);
        Assert.Equal(first, Noise(network, new GradientNoise(0.3, 0.55), 0, 3));
        Assert.All(first.Skip(300 * 101).Take(101), element => Assert.NotEqual(0, element));
    }

    [Fact]
    public void WeightsAreMeantUnlessTheRuleSaysOtherwise()
    {
        Graph network = Network.Input(4).Dense(3, name: "a").BatchNorm(name: "n").Dense(3, name: "b.c").Relu(name: "r").Dense(2, name: "d").Build();
        Assert.Equal(["a.weight", "b.c.weight", "d.weight"], Of(new L2()));
        Assert.Equal(["a.weight", "a.bias", "n.weight", "n.bias", "b.c.weight", "b.c.bias", "d.weight", "d.bias"], Of(new L2(Vectors: true)));
        Assert.Equal(["b.c.weight", "d.weight"], Of(new L2(Layers: ["d", "b"])));
        Assert.Equal(["a.weight", "d.bias"], Of(new L2(Layers: ["a", "d.bias"])));
        Assert.Equal(["n.weight", "n.bias"], Of(new L1(Layers: ["n"], Vectors: true)));

        string[] Of(Regularizer rule) => [.. rule.ParametersOf(network).Select(node => node.Name)];
    }

    [Fact]
    public void NamesThatStandForNothingAreRefused()
    {
        Graph network = Network.Input(4).Dense(3).Relu().Dense(2).Build();
        Assert.Equal("regularization l2: no such layer, nearest is 'dense_1': 'dense_3'; it must be a layer, block or parameter of the network",
            Assert.Throws<TrainingException>(() => new L2(Layers: ["dense_3"]).ParametersOf(network)).Message);
        Assert.Equal("regularization l1: 'relu_1' has no trainable weights; leave it out, or set vectors: true for its biases and gains",
            Assert.Throws<TrainingException>(() => new L1(Layers: ["relu_1"]).ParametersOf(network)).Message);
    }

    [Fact]
    public void SettingsOutOfRangeAreNamed()
    {
        Assert.Equal("regularization l2: strength is 0; it must be greater than 0 and finite", Assert.Throws<TrainingException>(new L2(0).Validate).Message);
        Assert.Equal("regularization max_norm: limit is -1; it must be greater than 0 and finite", Assert.Throws<TrainingException>(new MaxNorm(-1).Validate).Message);
        Assert.Equal("regularization gradient_noise: decay is -1; it must be 0 or more and finite", Assert.Throws<TrainingException>(new GradientNoise(Decay: -1).Validate).Message);
        foreach (Regularizer rule in RegularizerCatalog.ByKind.Values)
        {
            rule.Validate();
        }
    }

    [Fact]
    public void RulesAreValues()
    {
        Assert.Equal<Regularizer>(new L2(1, ["a", "b"]), new L2(1, ["a", "b"]));
        Assert.NotEqual<Regularizer>(new L2(1, ["a", "b"]), new L2(1, ["a"]));
        Assert.NotEqual<Regularizer>(new L2(1), new L1(1));
        Assert.NotEqual<Regularizer>(new L2(1), new L2(2));
        ValueList<Regularizer> list = [new L2(1, ["a"]), new MaxNorm()];
        Assert.Equal(list, [new L2(1, ["a"]), new MaxNorm()]);
        Assert.Equal(default, (ValueList<Regularizer>)[]);
    }

    private static double Penalty(Regularizer rule, int rows, int columns, ReadOnlySpan<double> w) => rule switch
    {
        L1 l1 => l1.Strength * Sum(w, Math.Abs),
        L2 l2 => l2.Strength * Sum(w, x => x * x),
        Orthogonality orthogonality => orthogonality.Strength * Distance(rows, columns, w.ToArray(), orthogonality.Gain),
        _ => throw new ArgumentException(rule.Kind),
    };

    private static double Sum(ReadOnlySpan<double> w, Func<double, double> term)
    {
        double sum = 0;
        foreach (double x in w)
        {
            sum += term(x);
        }
        return sum;
    }

    /// <summary>‖W Wᵀ − g² I‖², or that of Wᵀ W where there are more rows than columns.</summary>
    private static double Distance(int rows, int columns, double[] w, double gain)
    {
        bool tall = rows > columns;
        int side = Math.Min(rows, columns);
        double sum = 0;
        for (int i = 0; i < side; i++)
        {
            for (int j = 0; j < side; j++)
            {
                double dot = i == j ? -gain * gain : 0;
                for (int k = 0; k < Math.Max(rows, columns); k++)
                {
                    dot += tall ? w[k * columns + i] * w[k * columns + j] : w[i * columns + k] * w[j * columns + k];
                }
                sum += dot * dot;
            }
        }
        return sum;
    }

    private static double[] Noise(Graph network, Regularizer rule, long step, int threads)
    {
        using WorkerPool pool = new(threads);
        using ParameterStore<double> store = new(network);
        using RegularizerSet<double> set = new(network, store, [rule], 5);
        Assert.Equal(0, set.AddToGradients(step, pool));
        return [.. store.Slices.SelectMany(slice => store.Gradient(slice).Span.ToArray())];
    }

    private static ParameterStore<double> Filled(Graph network)
    {
        ParameterStore<double> store = new(network);
        Span<double> weight = store.Value(store.Find("dense_1.weight"));
        for (int i = 0; i < weight.Length; i++)
        {
            weight[i] = Math.Sin(0.7 * i + 0.3) * (1 + 0.1 * (i % 7));
        }
        return store;
    }
}
