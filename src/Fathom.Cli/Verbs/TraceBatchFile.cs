using Fathom.Formats.SafeTensors;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Cli.Verbs;

/// <summary>The batch that <c>fathom trace</c> runs over, checked against the model.</summary>
/// <param name="Samples">Samples in the batch.</param>
/// <param name="Input">Inputs, row-major.</param>
/// <param name="Target">Targets in the form that the loss wants.</param>
internal sealed record TraceBatchFile(int Samples, float[] Input, float[] Target)
{
    /// <exception cref="SafeTensorsException">A tensor is missing or has another shape than the model asks for.</exception>
    public static TraceBatchFile Read(string path, ModelDefinition model)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        Value input = model.Graph.Inputs.First().Output;
        SafeTensor x = file.Tensor(InputName(file, input.Name));
        int samples = x.Shape.Length == 0 ? 0 : x.Shape[0];
        if (samples < 1)
        {
            throw new SafeTensorsException($"{path}: {x.Name} has shape ({string.Join(", ", x.Shape)}); one or more samples along the first axis are needed");
        }
        RequireShape(path, x, input.Shape.Bind(samples));
        return new TraceBatchFile(samples, x.ToSingles(), ReadTarget(path, file.Tensor("target"), model, samples));
    }

    /// <summary>x, or the tensor named as the model's input, or the only one beside the target, such as tokens.</summary>
    private static string InputName(SafeTensorsFile file, string input)
    {
        string[] others = [.. file.Names.Where(name => name != "target")];
        return file.Contains("x") ? "x" : file.Contains(input) ? input : others is [string only] ? only : "x";
    }

    private static float[] ReadTarget(string path, SafeTensor target, ModelDefinition model, int samples)
    {
        Loss loss = model.Plan.Loss;
        Value output = model.Graph.Output;
        int[] shape = loss.TargetType(output).Shape.Bind(samples);
        int classes = output.Shape[^1].Size;
        if (loss.Target == TargetForm.Index)
        {
            RequireShape(path, target, shape);
            return Classes(path, target, classes);
        }
        bool labels = target.DType is SafeTensorType.I64 or SafeTensorType.I32 && target.Shape.AsSpan().SequenceEqual(shape.AsSpan(0, shape.Length - 1));
        if (!labels || classes == 1)
        {
            if (target.Count != shape.Aggregate(1L, (product, extent) => product * extent))
            {
                RequireShape(path, target, shape);
            }
            return target.ToSingles();
        }
        float[] indices = Classes(path, target, classes);
        float[] oneHot = new float[indices.Length * classes];
        for (int i = 0; i < indices.Length; i++)
        {
            oneHot[i * classes + (int)indices[i]] = 1;
        }
        return oneHot;
    }

    private static float[] Classes(string path, SafeTensor target, int classes)
    {
        long[] indices = target.DType is SafeTensorType.F16 or SafeTensorType.BF16 or SafeTensorType.F32 or SafeTensorType.F64 ? WholeNumbers(path, target) : target.ToInt64s();
        int wrong = Array.FindIndex(indices, index => index < 0 || index >= classes);
        return wrong < 0 ? [.. indices.Select(index => (float)index)]
            : throw new SafeTensorsException($"{path}: target {wrong} is class {indices[wrong]}; the output has the classes 0 to {classes - 1}");
    }

    /// <summary>Classes that another tool stored as real numbers.</summary>
    private static long[] WholeNumbers(string path, SafeTensor target)
    {
        double[] values = target.ToDoubles();
        int wrong = Array.FindIndex(values, value => value != Math.Truncate(value) || Math.Abs(value) > int.MaxValue);
        return wrong < 0 ? [.. values.Select(value => (long)value)]
            : throw new SafeTensorsException(FormattableString.Invariant($"{path}: target {wrong} is {values[wrong]}, but the loss takes classes: whole numbers from 0 on"));
    }

    private static void RequireShape(string path, SafeTensor tensor, int[] shape)
    {
        if (!tensor.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new SafeTensorsException($"{path}: {tensor.Name} has shape ({string.Join(", ", tensor.Shape)}), but the model takes ({string.Join(", ", shape)})");
        }
    }
}
