using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// Jacobian–vector products: forward mode, node by node, at the values of a <see cref="Float64Run"/>. An elementwise function
/// multiplies the tangent by its slope (its own gradient kernel: a diagonal Jacobian is its own transpose), a layer that is
/// linear in its data is run on the tangent without its bias, and for any other op the central difference of its own kernel is
/// taken, whose relative error in float64 is about 1e-10 where the op is smooth, and rounding alone where it is piecewise
/// linear. Differences of single nodes do not lose what those of a whole deep network would: each is scaled to its own inputs.
/// </summary>
internal sealed class TangentPass
{
    /// <summary>Step of a central difference relative to the inputs: the cube root of the precision.</summary>
    private const double Step = 6e-6;

    private readonly Float64Run run;
    private readonly LayerRange range;
    private readonly Node[] path;
    private readonly Dictionary<Value, double[]> tangents = [];

    public TangentPass(Float64Run run, Graph graph, LayerRange range)
    {
        (this.run, this.range) = (run, range);
        path = NeededNodes.Between(graph, range.From, range.To);
    }

    /// <summary>y = (∂To/∂From)·x over the whole batch.</summary>
    public void Multiply(ReadOnlySpan<double> x, Span<double> y)
    {
        tangents.Clear();
        tangents[range.From] = x.ToArray();
        foreach (Node node in path)
        {
            Push(node);
        }
        if (tangents.TryGetValue(range.To, out double[]? result))
        {
            result.CopyTo(y);
        }
        else
        {
            y.Clear();
        }
    }

    private void Push(Node node)
    {
        if (node.Op.IsView)
        {
            if (tangents.TryGetValue(node.Inputs[0], out double[]? same))
            {
                tangents[node.Output] = same;
            }
        }
        else if (!node.Inputs.Any(tangents.ContainsKey))
        {
            return;
        }
        else if (node.Op is Activation activation && node.Inputs.Length == 1)
        {
            PushThrough(node, new ActivationGradient(activation), activation.GradientReadsOutput ? node.Output : node.Inputs[0]);
        }
        else if (IsLinear(node))
        {
            PushLinear(node);
        }
        else
        {
            PushDifference(node);
        }
    }

    private void PushThrough(Node node, Op gradient, Value saved)
    {
        using AlignedMemory<double> tangent = Copy(tangents[node.Inputs[0]]), result = new(node.Output.Shape.Elements(run.Batch));
        run.Run(node, gradient, [Bind(tangent, node.Inputs[0]), run.Bind(saved)], [Bind(result, node.Output)]);
        tangents[node.Output] = result.Buffer.Span.ToArray();
    }

    private static bool IsLinear(Node node) => node.Op is Dense { WeightStandardization: WeightStandardization.None } or ConvolutionOp { WeightStandardization: WeightStandardization.None };

    private void PushLinear(Node node)
    {
        List<AlignedMemory<double>> own = [];
        try
        {
            TensorBinding<double>[] inputs = [.. node.Inputs.Select((input, i) =>
            {
                if (i == 1)
                {
                    return run.Bind(input); // the weight
                }
                own.Add(i == 0 ? Copy(tangents[input]) : new AlignedMemory<double>(input.Shape.Elements(run.Batch)));
                return Bind(own[^1], input);
            })];
            Collect(node, inputs);
        }
        finally
        {
            own.ForEach(memory => memory.Dispose());
        }
    }

    private void Collect(Node node, TensorBinding<double>[] inputs)
    {
        AlignedMemory<double>[] outputs = RunApart(node, inputs);
        for (int k = 0; k < outputs.Length; k++)
        {
            tangents[new Value(node, k)] = outputs[k].Buffer.Span.ToArray();
            outputs[k].Dispose();
        }
    }

    private void PushDifference(Node node)
    {
        double step = double.PositiveInfinity;
        foreach (Value input in node.Inputs.Where(tangents.ContainsKey).Distinct())
        {
            double size = TensorPrimitives.Norm<double>(run.Real(input).Span), tangent = TensorPrimitives.Norm<double>(tangents[input]);
            step = tangent > 0 ? Math.Min(step, Step * (size > 0 ? size : 1) / tangent) : step;
        }
        AlignedMemory<double>[] ahead = RunShifted(node, double.IsFinite(step) ? step : 0), behind = RunShifted(node, double.IsFinite(step) ? -step : 0);
        for (int k = 0; k < ahead.Length; k++)
        {
            double[] tangent = ahead[k].Buffer.Span.ToArray();
            TensorPrimitives.Subtract(tangent, behind[k].Buffer.Span, tangent);
            TensorPrimitives.Divide(tangent, double.IsFinite(step) ? 2 * step : 1, tangent);
            tangents[new Value(node, k)] = tangent;
            ahead[k].Dispose();
            behind[k].Dispose();
        }
    }

    private AlignedMemory<double>[] RunShifted(Node node, double step)
    {
        List<AlignedMemory<double>> own = [];
        try
        {
            TensorBinding<double>[] inputs = [.. node.Inputs.Select(input =>
            {
                if (!tangents.TryGetValue(input, out double[]? tangent))
                {
                    return run.Bind(input);
                }
                AlignedMemory<double> shifted = Copy(tangent);
                own.Add(shifted);
                TensorPrimitives.MultiplyAdd(shifted.Buffer.Span, step, run.Real(input).Span, shifted.Buffer.Span);
                return Bind(shifted, input);
            })];
            return RunApart(node, inputs);
        }
        finally
        {
            own.ForEach(memory => memory.Dispose());
        }
    }

    private AlignedMemory<double>[] RunApart(Node node, TensorBinding<double>[] inputs)
    {
        AlignedMemory<double>[] outputs = [.. Enumerable.Range(0, node.Outputs.Length).Select(k => new AlignedMemory<double>(node.Outputs[k].Shape.Elements(run.Batch)))];
        run.Run(node, inputs, [.. outputs.Select((memory, k) => Bind(memory, new Value(node, k)))]);
        return outputs;
    }

    private TensorBinding<double> Bind(AlignedMemory<double> memory, Value value) => new(memory.Buffer, default, value.Shape.Bind(run.Batch));

    private static AlignedMemory<double> Copy(double[] elements)
    {
        AlignedMemory<double> memory = new(elements.Length);
        elements.CopyTo(memory.Buffer.Span);
        return memory;
    }
}
