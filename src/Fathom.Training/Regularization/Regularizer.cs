using System.Collections.Immutable;
using System.Numerics;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Regularization;

/// <summary>
/// Something that keeps weights in bounds beside the loss: a penalty whose gradient is added to the loss's, noise on the
/// gradient, or a projection after the step. A value; one file per rule. Penalties and noise come before clipping.
/// </summary>
/// <param name="Layers">
/// What it applies to: names of layers, of blocks, or of single parameters such as <c>dense_1.weight</c>, which then
/// counts whatever its rank. Empty for all layers.
/// </param>
/// <param name="Vectors">Whether it applies to parameters of one axis too, such as biases and the gains of norms.</param>
public abstract record Regularizer(ImmutableArray<string> Layers, bool Vectors)
{
    /// <summary>The name in model files, such as <c>l2</c>.</summary>
    public abstract string Kind { get; }

    public ImmutableArray<string> Layers { get; init; } = Layers.IsDefault ? [] : Layers;

    public bool Vectors { get; init; } = Vectors;

    /// <summary>Adds the gradient of a penalty, or noise, to one parameter's gradient; gives the penalty, 0 for noise.</summary>
    public virtual double AddTo<T>(in RegularizerScope<T> scope) where T : unmanaged, IBinaryFloatingPointIeee754<T> => 0;

    /// <summary>Brings one parameter back into its bounds after the step.</summary>
    public virtual void Project<T>(in RegularizerScope<T> scope) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
    }

    /// <summary>Elements of scratch memory for a parameter of so many rows and columns.</summary>
    public virtual int ScratchElements(int rows, int columns) => 0;

    /// <summary>The trainable parameters of a network that it applies to.</summary>
    /// <exception cref="TrainingException">A name in <see cref="Layers"/> stands for nothing that could be regularized.</exception>
    public IReadOnlyList<Node> ParametersOf(Graph network)
    {
        Node[] trainable = [.. network.Parameters.Where(node => ((Parameter)node.Op).Trainable)];
        if (Layers.IsEmpty)
        {
            return [.. trainable.Where(IsInRank)];
        }
        HashSet<Node> chosen = new(ReferenceEqualityComparer.Instance);
        foreach (string name in Layers)
        {
            chosen.UnionWith(Named(network, trainable, name));
        }
        return [.. trainable.Where(chosen.Contains)];
    }

    /// <summary>Throws <see cref="TrainingException"/> if a setting is out of its range.</summary>
    public abstract void Validate();

    public virtual bool Equals(Regularizer? other) =>
        other is not null && EqualityContract == other.EqualityContract && Vectors == other.Vectors && Layers.AsSpan().SequenceEqual(other.Layers.AsSpan());

    public override int GetHashCode() => HashCode.Combine(EqualityContract, Vectors, Layers.Length);

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"regularization {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }

    protected void RequirePositive(string setting, double value) => Require(value > 0 && !double.IsInfinity(value), setting, value, "greater than 0 and finite");

    private bool IsInRank(Node parameter) => Vectors || parameter.Outputs[0].Shape.Rank >= 2;

    private List<Node> Named(Graph network, Node[] trainable, string name)
    {
        List<Node> found = [.. trainable.Where(node => node.Name == name)];
        if (found.Count == 0)
        {
            // A block's parts, and the parameters of a layer, are called after it.
            Node[] layers = [.. network.Nodes.Where(node => node.Op is not Source && IsPart(node.Name, name))];
            if (layers.Length == 0 && !trainable.Any(node => IsPart(node.Name, name)))
            {
                string[] known = [.. network.Nodes.Where(node => node.Op is not Source && node.Parameters.Any()).Select(node => node.Name)];
                throw new TrainingException($"regularization {Kind}: {Spelling.Unknown("layer", name, known)}: '{name}'; it must be a layer, block or parameter of the network");
            }
            found = [.. trainable.Where(node => IsInRank(node) && (IsPart(node.Name, name) || layers.Any(layer => layer.Parameters.Contains(node))))];
        }
        return found.Count > 0 ? found
            : throw new TrainingException($"regularization {Kind}: '{name}' has no trainable weights; leave it out, or set vectors: true for its biases and gains");
    }

    private static bool IsPart(string name, string whole) => name == whole || name.StartsWith(whole + ".", StringComparison.Ordinal);
}
