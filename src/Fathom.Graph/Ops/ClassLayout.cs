namespace Fathom.Graphs.Ops;

/// <summary>
/// A tensor seen as rows of class scores: the class axis has extent <see cref="Classes"/>, and the elements of a row
/// lie <see cref="Stride"/> apart. Rows are numbered in the order of the targets.
/// </summary>
internal readonly struct ClassLayout
{
    public ClassLayout(int[] shape, int classAxis)
    {
        int axis = classAxis < 0 ? classAxis + shape.Length : classAxis;
        (Outer, Classes, Stride) = (1, shape[axis], 1);
        for (int i = 0; i < shape.Length; i++)
        {
            if (i < axis)
            {
                Outer *= shape[i];
            }
            else if (i > axis)
            {
                Stride *= shape[i];
            }
        }
    }

    public int Classes { get; }

    public int Stride { get; }

    public int Rows => Outer * Stride;

    private int Outer { get; }

    /// <summary>Index of a row's first class.</summary>
    public int Start(int row) => Stride == 1 ? row * Classes : row / Stride * Classes * Stride + row % Stride;

    /// <summary>The shape of the targets, or an error if the class axis does not exist or grows with the batch.</summary>
    public static Shape TargetShape(ShapeScope scope, int input, int classAxis)
    {
        Shape shape = scope.Shape(input);
        int axis = classAxis < 0 ? classAxis + shape.Rank : classAxis;
        if (axis < 0 || axis >= shape.Rank)
        {
            throw scope.BadAttribute("class_axis", classAxis, $"an axis of the prediction, whose shape is {shape}");
        }
        if (shape[axis].PerSample)
        {
            throw scope.Error("a prediction whose class axis has a fixed size", $"shape {shape}, class axis {axis}");
        }
        return new Shape(shape.Dims.RemoveAt(axis));
    }

    /// <exception cref="GraphException">The label names no class.</exception>
    public void RequireClass(string kind, int row, int label)
    {
        if ((uint)label >= (uint)Classes)
        {
            throw new GraphException($"{kind}: target {row} is class {label}; the prediction has the classes 0 to {Classes - 1}");
        }
    }
}
