namespace Fathom.Graphs;

/// <summary>What a shape rule sees: the node's name and the types of its inputs; and how it says what is wrong.</summary>
public readonly ref struct ShapeScope(string node, Op op, ReadOnlySpan<TensorType> inputs)
{
    private readonly string node = node;
    private readonly Op op = op;

    public ReadOnlySpan<TensorType> Inputs { get; } = inputs;

    public TensorType this[int index] => Inputs[index];

    public Shape Shape(int index) => Inputs[index].Shape;

    /// <summary>An error of the form «node (op): expected …, given …».</summary>
    public GraphException Error(string expected, string given) => new($"{node} ({op.Kind}): expected {expected}, given {given}");

    public void RequireCount(int count)
    {
        if (Inputs.Length != count)
        {
            throw Error(count == 1 ? "1 input" : $"{count} inputs", Inputs.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    public void RequireRank(int index, int least, int most = int.MaxValue)
    {
        int rank = Inputs[index].Shape.Rank;
        if (rank < least || rank > most)
        {
            string wanted = least == most ? $"rank {least}" : most == int.MaxValue ? $"rank {least} or more" : $"rank {least} to {most}";
            throw Error($"input {index} of {wanted}", $"shape {Inputs[index].Shape}");
        }
    }

    public void RequireShape(int index, Shape expected)
    {
        if (!Inputs[index].Shape.Equals(expected))
        {
            throw Error($"input {index} of shape {expected}", $"shape {Inputs[index].Shape}");
        }
    }

    public void RequireKind(int index, ElementKind kind)
    {
        if (Inputs[index].Kind != kind)
        {
            throw Error($"input {index} of {(kind == ElementKind.Real ? "real numbers" : "indices")}", Inputs[index].ToString());
        }
    }

    /// <summary>An attribute of the op is out of its range.</summary>
    public GraphException BadAttribute(string attribute, object value, string allowed) =>
        new($"{node} ({op.Kind}): {attribute} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
}
