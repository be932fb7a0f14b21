using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training.Data;
using Fathom.Training.Execution;

namespace Fathom.Training.Pretraining;

/// <summary>What enters one layer, for all training rows.</summary>
internal sealed class LayerData : IDisposable
{
    private readonly AlignedMemory<float> values;

    private LayerData(int rows, int width)
    {
        values = new AlignedMemory<float>(checked(rows * width));
        (Rows, Width) = (rows, width);
    }

    public int Rows { get; }

    public int Width { get; }

    public Buffer<float> Values => values.Buffer;

    /// <summary>Whether every value lies in [0, 1], so that it can be read as a probability.</summary>
    public bool AreProbabilities { get; private set; }

    public static LayerData Of(DataSet data)
    {
        LayerData layer = new(data.Count, data.Features) { AreProbabilities = data.Statistics.Minimum >= 0 && data.Statistics.Maximum <= 1 };
        data.Inputs.CopyTo(layer.Values.Span);
        return layer;
    }

    /// <summary>What leaves a layer: φ(x·Wᵀ + b).</summary>
    public LayerData Through(ChainLayer layer, ParameterStore<float> parameters, WorkerPool pool)
    {
        LayerData result = new(Rows, layer.Units);
        Buffer<float> bias = layer.Bias is null ? default : parameters.Value(parameters.Find(layer.Bias));
        Gemm.Multiply(false, true, Rows, layer.Units, layer.Inputs, Values, layer.Inputs, parameters.Value(parameters.Find(layer.Weight)), layer.Inputs,
            result.Values, layer.Units, accumulate: false, bias, pool);
        int[] shape = [Rows, layer.Units];
        TensorBinding<float>[] inPlace = [new TensorBinding<float>(result.Values, default, shape)];
        KernelContext<float> context = new() { Inputs = inPlace, Outputs = inPlace, Pool = pool, Training = false, Random = default };
        layer.Activation.Run(in context);
        result.AreProbabilities = TensorPrimitives.Min<float>(result.Values.Span) >= 0 && TensorPrimitives.Max<float>(result.Values.Span) <= 1;
        return result;
    }

    /// <summary>Copies rows one after the other.</summary>
    public void Copy(ReadOnlySpan<int> rows, Span<float> target)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            Values.Span.Slice(rows[i] * Width, Width).CopyTo(target[(i * Width)..]);
        }
    }

    /// <summary>The mean of each column.</summary>
    public double[] Means()
    {
        double[] means = new double[Width];
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Width; j++)
            {
                means[j] += Values.Span[i * Width + j];
            }
        }
        for (int j = 0; j < Width; j++)
        {
            means[j] /= Rows;
        }
        return means;
    }

    public void Dispose() => values.Dispose();
}
