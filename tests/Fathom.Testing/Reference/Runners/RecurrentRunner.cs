using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>
/// rnn_tanh, rnn_relu, lstm and gru: one node for each layer and direction, the directions of a layer side by side. A case
/// may have time first, which the ops do not: its tensors are turned before and after.
/// </summary>
public sealed class RecurrentRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["rnn_tanh", "rnn_relu", "lstm", "gru"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        Layout layout = new(reference);
        GraphRun<float> run = new();
        Value y = run.Real("x", [layout.Samples, layout.Steps, layout.Features], layout.SamplesFirst(reference.Tensor("x").ToSingles(), layout.Features));
        List<(string State, int Index, Value Value)> finals = [];
        for (int layer = 0; layer < layout.Layers; layer++)
        {
            List<Value> directions = [];
            for (int direction = 0; direction < layout.Directions; direction++)
            {
                Node node = Layer(run, layout, y, layer, direction);
                directions.Add(node.Output);
                finals.AddRange(layout.States.Select((state, i) => (state, layer * layout.Directions + direction, new Value(node, 1 + i))));
            }
            y = directions.Count == 1 ? directions[0] : run.Builder.Add(null, new Concat(), directions.ToArray());
        }
        int width = layout.Units * layout.Directions;
        run.Output("y", y, layout.Upstream("y") is { } upstream ? layout.SamplesFirst(upstream, width) : null);
        foreach ((string state, int index, Value value) in finals)
        {
            run.Output($"{state}_n{index}", value, layout.Upstream($"{state}_n") is { } gradient ? layout.State(gradient, index) : null);
        }
        run.Execute([.. run.Inputs.Keys]);
        return [.. Mismatches(reference, layout, run, width)];
    }

    private static Node Layer(GraphRun<float> run, Layout layout, Value x, int layer, int direction)
    {
        string tail = $"_l{layer}{(direction == 1 ? "_reverse" : "")}";
        int index = layer * layout.Directions + direction;
        List<Value> inputs = [x];
        foreach (string state in layout.States)
        {
            inputs.Add(run.Real($"{state}0{index}", [layout.Samples, layout.Units], layout.State(layout.Case.Tensor($"{state}0").ToSingles(), index)));
        }
        foreach (string slot in (string[])["weight_ih", "weight_hh", .. layout.Bias ? (string[])["bias_ih", "bias_hh"] : []])
        {
            inputs.Add(run.Real(slot + tail, [.. layout.Case.Tensor(slot + tail).Shape], layout.Case.Tensor(slot + tail).ToSingles()));
        }
        bool reverse = direction == 1;
        RecurrentLayer op = layout.Case.Op switch
        {
            "lstm" => new Lstm(layout.Units, layout.Bias, Reverse: reverse),
            "gru" => new Gru(layout.Units, Bias: layout.Bias, Reverse: reverse),
            "rnn_relu" => new Rnn(layout.Units, RecurrentActivation.Relu, layout.Bias, Reverse: reverse),
            _ => new Rnn(layout.Units, RecurrentActivation.Tanh, layout.Bias, Reverse: reverse),
        };
        return run.Builder.Add($"recurrent{tail}", op, inputs.ToArray()).Node;
    }

    private static IEnumerable<string> Mismatches(ReferenceCase reference, Layout layout, GraphRun<float> run, int width)
    {
        List<(string Name, float[] Actual)> actual = [("y", layout.AsStored(run.Results["y"], width))];
        actual.AddRange(layout.States.Select(state => ($"{state}_n", layout.Stack(index => run.Results[$"{state}_n{index}"]))));
        foreach (string name in reference.GradientInputs)
        {
            actual.Add(($"grad.{name}", name switch
            {
                "x" => layout.AsStored(run.Gradients["x"], layout.Features),
                "h0" or "c0" => layout.Stack(index => run.Gradients[$"{name}{index}"]),
                _ => run.Gradients[name],
            }));
        }
        return actual.Select(item => reference.Mismatch(item.Name, item.Actual)).OfType<string>();
    }

    /// <summary>A case's extents, and its tensors in the order that the ops have.</summary>
    private sealed class Layout
    {
        private readonly bool batchFirst;

        public Layout(ReferenceCase reference)
        {
            Case = reference;
            int[] x = [.. reference.Tensor("x").Shape];
            batchFirst = reference.Flag("batch_first");
            (Samples, Steps, Features) = batchFirst ? (x[0], x[1], x[2]) : (x[1], x[0], x[2]);
            Units = (int)reference.Number("hidden_size");
            Layers = (int)reference.Number("num_layers", 1);
            Directions = reference.Flag("bidirectional") ? 2 : 1;
            Bias = reference.Flag("bias", true);
            States = reference.Op == "lstm" ? ["h", "c"] : ["h"];
        }

        public ReferenceCase Case { get; }

        public int Samples { get; }

        public int Steps { get; }

        public int Features { get; }

        public int Units { get; }

        public int Layers { get; }

        public int Directions { get; }

        public bool Bias { get; }

        public string[] States { get; }

        public float[]? Upstream(string output) => Case.Upstream.Contains(output) ? Case.Tensor($"grad_output.{output}").ToSingles() : null;

        public float[] SamplesFirst(float[] stored, int width) => batchFirst ? stored : Swap(stored, Steps, Samples, width);

        public float[] AsStored(float[] samplesFirst, int width) => batchFirst ? samplesFirst : Swap(samplesFirst, Samples, Steps, width);

        /// <summary>The state of one layer and direction.</summary>
        public float[] State(float[] all, int index) => all.AsSpan(index * Samples * Units, Samples * Units).ToArray();

        public float[] Stack(Func<int, float[]> state) => [.. Enumerable.Range(0, Layers * Directions).SelectMany(state)];

        /// <summary>(a, b, width) to (b, a, width).</summary>
        private static float[] Swap(float[] tensor, int a, int b, int width)
        {
            float[] swapped = new float[tensor.Length];
            for (int i = 0; i < a; i++)
            {
                for (int j = 0; j < b; j++)
                {
                    tensor.AsSpan((i * b + j) * width, width).CopyTo(swapped.AsSpan((j * a + i) * width));
                }
            }
            return swapped;
        }
    }
}
