using System.Globalization;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>One op on tensors of test data: what the tests of this folder share.</summary>
internal static class OpRun
{
    /// <summary>Numbers that look random, from −2 to 2, none within 0.01 of a kink of an op tested here (−2, −1, 0, 0.5, 1, 6).</summary>
    public static double[] Data(int count, uint stream, double scale = 2)
    {
        RandomStream random = new(new RandomKey(7, stream, 0));
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            do
            {
                values[i] = scale * (2 * random.NextUniform() - 1);
            }
            while (new[] { -2, -1, 0, 0.5, 1, 6 }.Any(kink => Math.Abs(values[i] - kink) < 0.01));
        }
        return values;
    }

    public static int Count(int[] shape) => shape.Aggregate(1, (product, extent) => product * extent);

    /// <summary>Holds all gradients of an op's first output against differences in double.</summary>
    /// <param name="op">The op.</param>
    /// <param name="training">Training or evaluation.</param>
    /// <param name="shapes">Shapes of the inputs to differentiate by.</param>
    /// <param name="constants">Further inputs behind them, of positive numbers: running statistics.</param>
    public static void CheckGradient(Op op, bool training, int[][] shapes, params int[][] constants)
    {
        Dictionary<string, double[]> inputs = [];
        for (int i = 0; i < shapes.Length; i++)
        {
            inputs[string.Create(CultureInfo.InvariantCulture, $"x{i}")] = Data(Count(shapes[i]), (uint)i);
        }
        double[] upstream = Data(OutputCount(op, [.. shapes, .. constants]), 99);
        string? mismatch = GradientCheck.Mismatch(Make, inputs, new Dictionary<string, double[]> { ["y"] = upstream });
        Assert.True(mismatch is null, $"{op}: {mismatch}");

        GraphRun<double> Make(IReadOnlyDictionary<string, double[]> given)
        {
            GraphRun<double> run = new() { Training = training };
            List<Value> values = [];
            for (int i = 0; i < shapes.Length; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"x{i}");
                values.Add(run.Real(name, shapes[i], given[name]));
            }
            for (int i = 0; i < constants.Length; i++)
            {
                values.Add(run.Real(string.Create(CultureInfo.InvariantCulture, $"constant{i}"), constants[i], Data(Count(constants[i]), 50 + (uint)i).Select(x => x * x + 0.1)));
            }
            run.Output("y", run.Builder.Add("op", op, values.ToArray()), upstream);
            return run;
        }
    }

    /// <summary>Output and gradients of one op in float with some number of threads, in one list.</summary>
    public static float[] Bits(Op op, int threads, params int[][] shapes)
    {
        GraphRun<float> run = new();
        List<Value> values = [];
        for (int i = 0; i < shapes.Length; i++)
        {
            values.Add(run.Real(string.Create(CultureInfo.InvariantCulture, $"x{i}"), shapes[i], Singles(Count(shapes[i]), (uint)i)));
        }
        run.Output("y", run.Builder.Add("op", op, values.ToArray()), Singles(OutputCount(op, shapes), 99));
        run.Execute([.. run.Inputs.Keys], threads);
        return [.. run.Results["y"], .. run.Inputs.Keys.SelectMany(name => run.Gradients[name])];
    }

    /// <summary>Runs an op on numbers, forward and backward with an upstream gradient of ones.</summary>
    public static (T[] Output, T[] Gradient) Elementwise<T>(Op op, T[] x) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        GraphRun<T> run = new();
        run.Output("y", run.Builder.Add("op", op, [run.Real("x", [x.Length], x)]), Enumerable.Repeat(T.One, x.Length));
        run.Execute(["x"]);
        return (run.Results["y"], run.Gradients["x"]);
    }

    /// <summary>The message of the error that adding a layer of this op gives.</summary>
    public static string ErrorOf(Op op, params Shape[] inputs)
    {
        GraphBuilder builder = new();
        Value[] values = [.. inputs.Select((shape, i) => builder.Input(string.Create(CultureInfo.InvariantCulture, $"x{i}"), new TensorType(shape)))];
        return Assert.Throws<GraphException>(() => builder.Layer(op, "layer", values)).Message;
    }

    private static float[] Singles(int count, uint stream)
    {
        float[] values = new float[count];
        RandomStream random = new(new RandomKey(7, stream, 0));
        for (int i = 0; i < count; i++)
        {
            values[i] = (float)(4 * random.NextUniform() - 2);
        }
        return values;
    }

    private static int OutputCount(Op op, int[][] shapes)
    {
        GraphBuilder builder = new();
        Value[] values =
        [
            .. shapes.Select((shape, i) => builder.Input(string.Create(CultureInfo.InvariantCulture, $"x{i}"), new TensorType(Shape.Of([.. shape.Select(extent => new Dim(extent))])))),
        ];
        return (int)builder.Add("op", op, values).Shape.ElementsPerSample;
    }
}
