using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Recurrent layers over time against runs of their kernels over many draws of weights and data.</summary>
public sealed class RecurrentTheoryTests
{
    private const int Units = 256, Features = 48, Steps = 12, Batch = 8, Draws = 24;

    private static readonly Moments Data = new(0.3, 1.2, 0.25);

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string cell in new[] { "rnn", "rnn-relu", "rnn-wide", "lstm", "lstm-wide", "gru", "gru-before" })
            {
                foreach (string reader in new[] { "last", "mean", "all" })
                {
                    cases.Add(cell, reader);
                }
            }
            return cases;
        }
    }

    [Xunit.Theory]
    [MemberData(nameof(Cases))]
    public void Theory_over_time_agrees_with_drawn_layers(string cell, string reader)
    {
        NetworkCursor sequence = Network.Input(Steps, Features).Then(Layer(cell, out Initializer? weights), "a", weights is null ? [] : new Dictionary<string, Initializer> { ["weight_ih"] = weights, ["weight_hh"] = weights });
        Graph graph = (reader switch { "last" => sequence.Last(), "mean" => sequence.Mean([1]), _ => sequence }).Build();
        Node node = graph["a"];
        Drawn drawn = Draw(graph, node);
        RecurrentTheory theory = RecurrentTheory.Of(node, [.. node.Inputs.Select(value => value.Node.Op is Parameter parameter ? Of(parameter) : Data)])!;
        double each = reader == "mean" ? 1.0 / (Steps * Steps) : 1;
        TimeGradient upstream = reader == "last" ? TimeGradient.AtLast(Steps) : new TimeGradient([.. Enumerable.Repeat(each, Steps)], reader == "mean" ? 1 : 0, 0);
        RecurrentBackward back = theory.Backward(upstream, Batch);
        List<string> off = [];
        for (int t = 0; t < Steps; t++)
        {
            Compare($"h {t}", theory.States[t + 1].Square, drawn.States[t], 0.05);
            Compare($"∂h {t}", back.States[t], drawn.Gradients[t], 0.05 + 0.01 * (Steps - t));
        }
        Compare("∂x", back.Inputs.Average(), drawn.Input, 0.1);
        string[] parameters = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
        for (int i = 0; i < 4; i++)
        {
            Compare(parameters[i], back.Weights[i], drawn.Parameters[i], 0.12);
        }
        Assert.True(off.Count == 0, string.Join("; ", off));

        void Compare(string what, double predicted, double measured, double tolerance)
        {
            double ratio = Math.Sqrt(predicted / measured);
            if (!(Math.Abs(ratio - 1) <= tolerance))
            {
                off.Add(FormattableString.Invariant($"{what}: {ratio:0.000} (predicted {Math.Sqrt(predicted):G3})"));
            }
        }
    }

    private static Op Layer(string cell, out Initializer? weights)
    {
        weights = cell.EndsWith("-wide", StringComparison.Ordinal) ? new VarianceScaling(2.5, FanMode.In, WeightDistribution.Normal) : null;
        return cell switch
        {
            "rnn" or "rnn-wide" => new Rnn(Units),
            "rnn-relu" => new Rnn(Units, RecurrentActivation.Relu),
            "lstm" or "lstm-wide" => new Lstm(Units),
            _ => new Gru(Units, ResetAfter: cell == "gru"),
        };
    }

    private sealed record Drawn(double[] States, double[] Gradients, double Input, double[] Parameters);

    private static Drawn Draw(Graph graph, Node node)
    {
        GraphBuilder builder = new(graph);
        Value upstream = builder.Input("upstream", graph.Output.Type);
        Value x = graph["input"].Output;
        Value[] parameters = [.. node.Inputs.Where(input => input.Node.Op is Parameter)];
        DifferentiatedGraph back = Autodiff.Differentiate(builder.Build(graph.Output), new Dictionary<Value, Value> { [graph.Output] = upstream }, [x, .. parameters]);
        Node through = back.Graph.Nodes.First(candidate => candidate.Op is RecurrentGradient);
        PredictionOptions options = new() { Samples = Batch };
        using NodeRun run = new(back.Graph, options, 1 << 26);
        Drawn sum = new(new double[Steps], new double[Steps], 0, new double[4]);
        for (int draw = 0; draw < Draws; draw++)
        {
            run.Fill([(x, Data, 0), .. parameters.Select(parameter => (parameter, default(Moments), 0))], [upstream], draw);
            run.Execute(draw);
            ReadOnlySpan<double> gradients = run.Read(new Value(through, RecurrentGradient.StateOutput)), states = run.Read(node.Output);
            for (int i = 0; i < gradients.Length; i++)
            {
                sum.Gradients[i / (Batch * Units)] += gradients[i] * gradients[i] / (Batch * Units * Draws);
                sum.States[i / Units % Steps] += states[i] * states[i] / (Batch * Units * Draws);
            }
            sum = sum with { Input = sum.Input + run.MeanSquare(back.Gradients[x]) / Draws };
            for (int i = 0; i < parameters.Length; i++)
            {
                sum.Parameters[i] += run.MeanSquare(back.Gradients[parameters[i]]) / Draws;
            }
        }
        return sum;
    }

    private static Moments Of(Parameter parameter)
    {
        double mean = parameter.Initializer.Mean;
        return new Moments(mean, mean * mean + parameter.Initializer.Variance(parameter.Fans), 1);
    }
}
