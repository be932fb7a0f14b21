using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>One recurrent layer on test data, run forward and backward.</summary>
internal sealed class RecurrentRun
{
    private RecurrentRun(GraphRun<double> run, Dictionary<string, double[]> upstream) => (Run, Upstream) = (run, upstream);

    public GraphRun<double> Run { get; }

    /// <summary>What arrives at y, h_n and c_n.</summary>
    public Dictionary<string, double[]> Upstream { get; }

    /// <summary>Runs a layer.</summary>
    /// <param name="cell">The layer.</param>
    /// <param name="samples">N.</param>
    /// <param name="steps">T.</param>
    /// <param name="features">Width of x.</param>
    /// <param name="lengths">Steps that count, for each sample; null for a mask with holes.</param>
    /// <param name="padding">What stands in x where the mask is 0.</param>
    /// <param name="turned">Whether time runs backwards in x and in what arrives at y.</param>
    public static RecurrentRun Of(RecurrentLayer cell, int samples, int steps, int features, int[]? lengths = null, double? padding = null, bool turned = false)
    {
        Dictionary<string, double[]> inputs = Inputs(cell, samples, steps, features, 0);
        double[] mask = Mask(samples, steps, lengths);
        for (int i = 0; i < samples * steps * features && padding is not null; i++)
        {
            inputs["x"][i] = mask[i / features] == 0 ? padding.Value : inputs["x"][i];
        }
        Dictionary<string, double[]> upstream = Upstreams(cell, samples, steps);
        if (turned)
        {
            inputs["x"] = Turned(inputs["x"], samples, steps, features);
            upstream["y"] = Turned(upstream["y"], samples, steps, cell.Units);
        }
        return Execute(cell, samples, steps, features, inputs, mask, upstream);
    }

    public static void CheckGradient(RecurrentLayer cell, int samples, int steps, int features, int states = 0)
    {
        Dictionary<string, double[]> inputs = Inputs(cell, samples, steps, features, states);
        double[] mask = Mask(samples, steps, null);
        Dictionary<string, double[]> upstream = Upstreams(cell, samples, steps);
        string? mismatch = GradientCheck.Mismatch(given => Make(cell, samples, steps, features, given, mask, upstream).Run, inputs, upstream);
        Assert.True(mismatch is null, $"{cell}, {samples} × {steps} × {features}: {mismatch}");
    }

    /// <summary>The sum of a parameter's gradients over chunks of the sequence, the state before each a constant.</summary>
    public static double[] InChunks(RecurrentLayer cell, int samples, int steps, int features, int chunk, string parameter)
    {
        Dictionary<string, double[]> all = Inputs(cell, samples, steps, features, 0);
        Dictionary<string, double[]> upstream = Upstreams(cell, samples, steps);
        double[] sum = new double[all[parameter].Length];
        Dictionary<string, double[]> states = [];
        for (int from = 0; from < steps; from += chunk)
        {
            int length = Math.Min(chunk, steps - from);
            RecurrentRun part = Part(cell, samples, steps, features, all, upstream, from, length, states);
            states = cell.States == 2 ? new() { ["h0"] = part.Run.Results["h_n"], ["c0"] = part.Run.Results["c_n"] } : new() { ["h0"] = part.Run.Results["h_n"] };
            for (int i = 0; i < sum.Length; i++)
            {
                sum[i] += part.Run.Gradients[parameter][i];
            }
        }
        return sum;
    }

    /// <summary>The gradient by h after so many steps of what comes later, which starts from that h.</summary>
    public static double[] After(RecurrentLayer cell, bool reverse, RecurrentRun whole, int step, int samples, int steps, int features)
    {
        // In the order of steps, so that a reversed layer is a forward one on a turned sequence.
        Dictionary<string, double[]> inputs = Inputs(cell, samples, steps, features, 0);
        Dictionary<string, double[]> upstream = whole.Upstream.ToDictionary();
        if (reverse)
        {
            inputs["x"] = Turned(inputs["x"], samples, steps, features);
            upstream["y"] = Turned(upstream["y"], samples, steps, cell.Units);
        }
        RecurrentRun before = Part(cell, samples, steps, features, inputs, upstream, 0, step + 1, []);
        Dictionary<string, double[]> states = new() { ["h0"] = before.Run.Results["h_n"] };
        if (cell.States == 2)
        {
            states["c0"] = before.Run.Results["c_n"];
        }
        return Part(cell, samples, steps, features, inputs, upstream, step + 1, steps - step - 1, states).Run.Gradients["h0"];
    }

    /// <summary>The gradient op's first output.</summary>
    public double[] StateGradient() => Run.Results["state"];

    public static double[] Turned(double[] tensor, int samples, int steps, int width)
    {
        double[] turned = new double[tensor.Length];
        for (int row = 0; row < samples * steps; row++)
        {
            int mirrored = row / steps * steps + steps - 1 - row % steps;
            tensor.AsSpan(row * width, width).CopyTo(turned.AsSpan(mirrored * width));
        }
        return turned;
    }

    /// <summary>Outputs and gradients in float with some number of threads, in one list.</summary>
    public static float[] Bits(RecurrentLayer cell, int samples, int steps, int features, int threads)
    {
        GraphRun<float> run = new();
        Dictionary<string, double[]> upstream = Upstreams(cell, samples, steps);
        Build(run, cell, samples, steps, features, Inputs(cell, samples, steps, features, cell.States), Mask(samples, steps, null), upstream);
        run.Execute([.. run.Inputs.Keys.Where(name => name != "mask")], threads);
        return [.. run.Results.Values.SelectMany(values => values), .. run.Gradients.Values.SelectMany(values => values)];
    }

    private static RecurrentRun Part(RecurrentLayer cell, int samples, int steps, int features, Dictionary<string, double[]> all, Dictionary<string, double[]> upstream, int from, int length, Dictionary<string, double[]> states)
    {
        Dictionary<string, double[]> inputs = new() { ["x"] = Cut(all["x"], samples, steps, features, from, length) };
        foreach ((string name, double[] values) in states.Concat(all.Where(pair => pair.Key.Contains('_', StringComparison.Ordinal))))
        {
            inputs[name] = values;
        }
        bool last = from + length == steps;
        Dictionary<string, double[]> arriving = upstream.ToDictionary(pair => pair.Key,
            pair => pair.Key == "y" ? Cut(pair.Value, samples, steps, cell.Units, from, length) : last ? pair.Value : new double[pair.Value.Length]);
        return Execute(cell, samples, length, features, inputs, [], arriving);
    }

    private static double[] Cut(double[] tensor, int samples, int steps, int width, int from, int length) =>
        [.. Enumerable.Range(0, samples).SelectMany(n => tensor.AsSpan((n * steps + from) * width, length * width).ToArray())];

    private static RecurrentRun Execute(RecurrentLayer cell, int samples, int steps, int features, Dictionary<string, double[]> inputs, double[] mask, Dictionary<string, double[]> upstream)
    {
        RecurrentRun made = Make(cell, samples, steps, features, inputs, mask, upstream);
        made.Run.Execute([.. inputs.Keys]);
        return made;
    }

    private static RecurrentRun Make(RecurrentLayer cell, int samples, int steps, int features, IReadOnlyDictionary<string, double[]> inputs, double[] mask, Dictionary<string, double[]> upstream)
    {
        GraphRun<double> run = new()
        {
            Watch = graph => graph.Nodes.Where(node => node.Op is RecurrentGradient).Select(node => ("state", new Value(node, RecurrentGradient.StateOutput))),
        };
        Build(run, cell, samples, steps, features, inputs, mask, upstream);
        return new RecurrentRun(run, upstream);
    }

    private static void Build<T>(GraphRun<T> run, RecurrentLayer cell, int samples, int steps, int features, IReadOnlyDictionary<string, double[]> inputs, double[] mask, Dictionary<string, double[]> upstream)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        int rows = cell.Gates * cell.Units;
        List<Value> values = [];
        foreach ((string name, int[] shape) in new (string, int[])[]
        {
            ("x", [samples, steps, features]), ("mask", [samples, steps]), ("h0", [samples, cell.Units]), ("c0", [samples, cell.Units]),
            ("weight_ih", [rows, features]), ("weight_hh", [rows, cell.Units]), ("bias_ih", [rows]), ("bias_hh", [rows]),
        })
        {
            if (inputs.TryGetValue(name, out double[]? elements) || (name == "mask" && cell.Masked && (elements = mask) is not null))
            {
                values.Add(run.Real(name, shape, elements.Select(T.CreateTruncating)));
            }
        }
        Node node = run.Builder.Add("op", cell, values.ToArray()).Node;
        foreach ((string name, double[] gradient) in upstream)
        {
            run.Output(name, new Value(node, name switch { "h_n" => 1, "c_n" => 2, _ => 0 }), gradient.Select(T.CreateTruncating));
        }
    }

    private static Dictionary<string, double[]> Inputs(RecurrentLayer cell, int samples, int steps, int features, int states)
    {
        int rows = cell.Gates * cell.Units;
        double scale = 1 / Math.Sqrt(cell.Units);
        // Whole sequences first, so that a shorter one has the same first steps: sample by sample from one stream each.
        Dictionary<string, double[]> inputs = new()
        {
            ["x"] = [.. Enumerable.Range(0, samples).SelectMany(n => OpRun.Data(steps * features, 10 + (uint)n, 1.5))],
        };
        for (int i = 0; i < states; i++)
        {
            inputs[i == 0 ? "h0" : "c0"] = OpRun.Data(samples * cell.Units, 2 + (uint)i, 0.8);
        }
        inputs["weight_ih"] = OpRun.Data(rows * features, 4, scale);
        inputs["weight_hh"] = OpRun.Data(rows * cell.Units, 5, 1.5 * scale);
        for (int i = 0; i < (cell.Bias ? cell.RecurrentBias ? 2 : 1 : 0); i++)
        {
            inputs[i == 0 ? "bias_ih" : "bias_hh"] = OpRun.Data(rows, 6 + (uint)i, 0.5);
        }
        return inputs;
    }

    private static Dictionary<string, double[]> Upstreams(RecurrentLayer cell, int samples, int steps)
    {
        Dictionary<string, double[]> upstream = new() { ["y"] = [.. Enumerable.Range(0, samples).SelectMany(n => OpRun.Data(steps * cell.Units, 70 + (uint)n))], ["h_n"] = OpRun.Data(samples * cell.Units, 91) };
        if (cell.States == 2)
        {
            upstream["c_n"] = OpRun.Data(samples * cell.Units, 92);
        }
        return upstream;
    }

    /// <summary>Padding at the end; or, without lengths, a mask with holes whose second sample has no step at all.</summary>
    private static double[] Mask(int samples, int steps, int[]? lengths) =>
        [.. Enumerable.Range(0, samples * steps).Select(i => lengths is not null ? (i % steps < lengths[i / steps] ? 1.0 : 0) : i / steps == 1 || (i * 7 + i / steps) % 3 == 0 ? 0 : 1)];
}
