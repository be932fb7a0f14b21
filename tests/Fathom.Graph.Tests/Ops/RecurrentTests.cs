using Fathom.Compute;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Testing.Reference;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>RNN, LSTM and GRU.</summary>
public sealed class RecurrentTests
{
    public static TheoryData<RecurrentLayer> Cells => new(
        new Rnn(5), new Rnn(5, RecurrentActivation.Relu), new Lstm(5), new Gru(5), new Gru(5, ResetAfter: false));

    [ReferenceFact]
    public void PyTorchAgrees()
    {
        ReferenceCase[] cases = [.. ReferenceFolder.Open().Cases.Where(reference => reference.Family == "recurrent" || reference.Op is "lstm" or "gru" or "lstm_classifier")];
        (int passed, List<string> failures, List<string> notCovered) = ReferenceSuite.Run(cases);
        Assert.NotEmpty(cases);
        Assert.Empty(notCovered);
        Assert.True(failures.Count == 0, $"{passed} of {cases.Length} cases pass; the others:\n{string.Join('\n', failures)}");
    }

    [Xunit.Theory, MemberData(nameof(Cells))]
    public void GradientsAreTheDerivatives(RecurrentLayer cell)
    {
        RecurrentRun.CheckGradient(cell with { Units = 1 }, samples: 1, steps: 1, features: 1);
        RecurrentRun.CheckGradient(cell, samples: 3, steps: 4, features: 2);
        RecurrentRun.CheckGradient(cell, samples: 2, steps: 3, features: 19, states: cell.States);
        RecurrentRun.CheckGradient(cell with { Units = 17, Reverse = true }, samples: 2, steps: 2, features: 1, states: cell.States);
        RecurrentRun.CheckGradient(cell with { RecurrentBias = false }, samples: 9, steps: 2, features: 3);
        RecurrentRun.CheckGradient(cell with { Bias = false }, samples: 2, steps: 2, features: 3);
        RecurrentRun.CheckGradient(cell with { Masked = true }, samples: 5, steps: 4, features: 2, states: cell.States);
        RecurrentRun.CheckGradient(cell with { Masked = true, Reverse = true }, samples: 5, steps: 4, features: 2);
    }

    [Xunit.Theory, MemberData(nameof(Cells))]
    public void PaddingChangesNothing(RecurrentLayer cell)
    {
        const int steps = 6;
        const int valid = 4;
        RecurrentRun whole = RecurrentRun.Of(cell with { Masked = true }, samples: 1, steps, features: 3, lengths: [valid]);
        RecurrentRun alone = RecurrentRun.Of(cell, samples: 1, valid, features: 3);
        Assert.Equal(alone.Run.Results["h_n"], whole.Run.Results["h_n"]);
        Assert.Equal(alone.Run.Results["y"], whole.Run.Results["y"][..(valid * cell.Units)]);
        for (int step = valid; step < steps; step++)
        {
            Assert.Equal(whole.Run.Results["h_n"], whole.Run.Results["y"][(step * cell.Units)..((step + 1) * cell.Units)]);
        }
        Assert.All(whole.Run.Gradients["x"][(valid * 3)..], gradient => Assert.Equal(0, gradient));
    }

    /// <summary>Whatever stands in padding, NaN even, must not reach a weight.</summary>
    [Xunit.Theory, MemberData(nameof(Cells))]
    public void NaNInPaddingStaysThere(RecurrentLayer cell)
    {
        RecurrentRun run = RecurrentRun.Of(cell with { Masked = true }, samples: 2, steps: 3, features: 2, lengths: [1, 2], padding: double.NaN);
        Assert.All(run.Run.Results["y"], value => Assert.True(double.IsFinite(value)));
        Assert.All(run.Run.Gradients.Values.SelectMany(gradient => gradient), value => Assert.True(double.IsFinite(value)));
    }

    [Xunit.Theory, MemberData(nameof(Cells))]
    public void ReverseIsTheSequenceTurnedAround(RecurrentLayer cell)
    {
        RecurrentRun forward = RecurrentRun.Of(cell, samples: 2, steps: 5, features: 3);
        RecurrentRun reverse = RecurrentRun.Of(cell with { Reverse = true }, samples: 2, steps: 5, features: 3, turned: true);
        Assert.Equal(forward.Run.Results["h_n"], reverse.Run.Results["h_n"]);
        Assert.Equal(forward.Run.Results["y"], RecurrentRun.Turned(reverse.Run.Results["y"], 2, 5, cell.Units));
        Assert.Equal(forward.Run.Gradients["weight_hh"], reverse.Run.Gradients["weight_hh"]);
    }

    /// <summary>Truncation is full back-propagation within chunks, each of which takes the last state as a constant.</summary>
    [Xunit.Theory, MemberData(nameof(Cells))]
    public void TruncationCutsTheGradientBetweenChunks(RecurrentLayer cell)
    {
        const int steps = 7;
        const int chunk = 3;
        RecurrentRun truncated = RecurrentRun.Of(cell with { Truncate = chunk }, samples: 2, steps, features: 2);
        RecurrentRun full = RecurrentRun.Of(cell, samples: 2, steps, features: 2);
        Assert.Equal(full.Run.Results["y"], truncated.Run.Results["y"]);
        double[] expected = RecurrentRun.InChunks(cell, samples: 2, steps, features: 2, chunk, "weight_hh");
        Assert.All(expected.Zip(truncated.Run.Gradients["weight_hh"]), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
        Assert.Contains(expected.Zip(full.Run.Gradients["weight_hh"]), pair => Math.Abs(pair.First - pair.Second) > 1e-3);
        // As many steps as there are, or more, cut nothing.
        Assert.Equal(full.Run.Gradients["weight_hh"], RecurrentRun.Of(cell with { Truncate = steps }, samples: 2, steps, features: 2).Run.Gradients["weight_hh"]);
    }

    /// <summary>dL/dh of every step against the gradient of the same step's h as the start of what follows.</summary>
    [Xunit.Theory, MemberData(nameof(Cells))]
    public void TheStateGradientIsTheTotalOfEachStep(RecurrentLayer cell)
    {
        foreach (bool reverse in (bool[])[false, true])
        {
            const int steps = 4;
            RecurrentRun whole = RecurrentRun.Of(cell with { Reverse = reverse }, samples: 3, steps, features: 2);
            double[] total = whole.StateGradient();
            double[] upstream = whole.Upstream["y"];
            for (int step = 0; step < steps - 1; step++)
            {
                int time = reverse ? steps - 1 - step : step;
                double[] through = RecurrentRun.After(cell, reverse, whole, step, samples: 3, steps, features: 2);
                for (int i = 0; i < 3 * cell.Units; i++)
                {
                    double own = upstream[(i / cell.Units * steps + time) * cell.Units + i % cell.Units];
                    Assert.Equal(through[i] + own, total[time * 3 * cell.Units + i], 1e-12);
                }
            }
        }
    }

    [Xunit.Theory, MemberData(nameof(Cells))]
    public void ThreadsDoNotChangeABit(RecurrentLayer cell)
    {
        foreach ((int samples, int units) in ((int, int)[])[(40, 33), (3, 70), (65, 16)])
        {
            float[] expected = RecurrentRun.Bits(cell with { Units = units, Masked = true }, samples, steps: 9, features: 37, threads: 1);
            Assert.Equal(expected, RecurrentRun.Bits(cell with { Units = units, Masked = true }, samples, steps: 9, features: 37, threads: 2));
            Assert.Equal(expected, RecurrentRun.Bits(cell with { Units = units, Masked = true }, samples, steps: 9, features: 37, threads: 5));
        }
    }

    [Fact]
    public void EachGateStartsByItself()
    {
        Graph network = Network.Input(6, 8).Lstm(16, name: "lstm").Build();
        Assert.Equal(["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"], network.Parameters.Select(node => node.Name));
        Parameter recurrent = (Parameter)network["lstm.weight_hh_l0"].Op;
        Assert.Equal(new Fans(16, 16), recurrent.Fans);
        Assert.Equal(new Fans(8, 16), ((Parameter)network["lstm.weight_ih_l0"].Op).Fans);
        using AlignedMemory<double> memory = new(64 * 16);
        recurrent.Fill(new RandomKey(1, 2, 0), memory.Buffer);
        for (int gate = 0; gate < 4; gate++)
        {
            double[] block = memory.Buffer.Slice(gate * 256, 256).Span.ToArray();
            for (int i = 0; i < 16; i++)
            {
                Assert.Equal(1, Enumerable.Range(0, 16).Sum(j => block[i * 16 + j] * block[i * 16 + j]), 1e-12);
            }
            Assert.True(gate == 0 || block[0] != memory.Buffer.Span[0]);
        }
    }

    [Fact]
    public void TheForgetGateStartsOpen()
    {
        Parameter bias = (Parameter)Network.Input(6, 8).Lstm(3, name: "lstm").Build()["lstm.bias_ih_l0"].Op;
        using AlignedMemory<float> memory = new(12);
        bias.Fill(new RandomKey(1, 2, 0), memory.Buffer);
        Assert.Equal([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0], memory.Buffer.Span.ToArray());
        Assert.Equal(0.25, bias.Initializer.Mean);
        Assert.Equal(0.1875, bias.Initializer.Variance(bias.Fans));
        Assert.Equal("initializer forget_gate_bias: it fills a bias of 4 gates (i, f, g, o), given shape (3)",
            Assert.Throws<GraphException>(() => bias.Initializer.Fill(Shape.Of(3), default, memory.Buffer.Slice(0, 3))).Message);
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Shape x = Shape.OfSamples(6, 2);
        Assert.Equal("layer (lstm): expected a sequence (N, T, features) whose length T and features have fixed sizes, given shape (N, 6)", OpRun.ErrorOf(new Lstm(4), Shape.OfSamples(6)));
        Assert.Equal("layer (gru): units is 0; it must be 1 or more", OpRun.ErrorOf(new Gru(0), x));
        Assert.Equal("layer (rnn): truncate is -1; it must be 0 for no truncation, or a number of steps", OpRun.ErrorOf(new Rnn(4, Truncate: -1), x));
        Assert.Equal("layer (lstm): expected the data inputs x (N, T, in) and a mask (N, T), and after them h and c to start from or nothing, given 1", OpRun.ErrorOf(new Lstm(4, Masked: true), x));
        Assert.Equal("layer (gru): expected the data inputs x (N, T, in), and after them h to start from or nothing, given 3", OpRun.ErrorOf(new Gru(4), x, Shape.OfSamples(4), Shape.OfSamples(4)));
        Assert.Equal("layer (lstm): expected input 1 of shape (N, 6), given shape (N, 5)", OpRun.ErrorOf(new Lstm(4, Masked: true), x, Shape.OfSamples(5)));
        Assert.Equal("layer (lstm): expected input 2 of shape (N, 4), given shape (N, 3)", OpRun.ErrorOf(new Lstm(4), x, Shape.OfSamples(4), Shape.OfSamples(3)));
    }
}
