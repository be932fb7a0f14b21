using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>Where a parameter lies within its store.</summary>
/// <param name="Name">Name of the parameter node.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Offset">First element.</param>
/// <param name="Length">Number of elements.</param>
/// <param name="Trainable">Whether an optimizer may change it.</param>
public sealed record ParameterSlice(string Name, Shape Shape, int Offset, int Length, bool Trainable);

/// <summary>
/// All parameters of a network in one block, and their gradients in another, so that clipping and the optimizer pass
/// over memory once, and so that the plans for several batch sizes share them. Each tensor starts on a cache line.
/// </summary>
public sealed class ParameterStore<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int LineElements = 16;

    private readonly AlignedMemory<T> values;
    private readonly AlignedMemory<T> gradients;
    private readonly Dictionary<string, ParameterSlice> byName = [];
    private readonly List<Parameter> ops = [];

    /// <exception cref="TrainingException">The parameters are more than one block can hold.</exception>
    public ParameterStore(Graph graph)
    {
        RequireOneBlock(graph);
        List<ParameterSlice> slices = [];
        int offset = 0;
        foreach (Node node in graph.Parameters)
        {
            Parameter op = (Parameter)node.Op;
            int length = checked((int)op.Shape.ElementsPerSample);
            ParameterSlice slice = new(node.Name, op.Shape, offset, length, op.Trainable);
            slices.Add(slice);
            ops.Add(op);
            byName.Add(node.Name, slice);
            offset = checked(offset + (length + LineElements - 1) / LineElements * LineElements);
        }
        Slices = slices;
        values = new AlignedMemory<T>(offset);
        gradients = new AlignedMemory<T>(offset);
    }

    public IReadOnlyList<ParameterSlice> Slices { get; }

    /// <summary>The whole block, padding between tensors included (which stays 0).</summary>
    public Buffer<T> Values => values.Buffer;

    public Buffer<T> Gradients => gradients.Buffer;

    public ParameterSlice Find(string name) =>
        byName.TryGetValue(name, out ParameterSlice? slice) ? slice : throw new GraphException($"no parameter is named '{name}'");

    public bool Has(string name) => byName.ContainsKey(name);

    public Buffer<T> Value(ParameterSlice slice) => values.Buffer.Slice(slice.Offset, slice.Length);

    public Buffer<T> Gradient(ParameterSlice slice) => gradients.Buffer.Slice(slice.Offset, slice.Length);

    /// <summary>
    /// Fills every parameter. Its random numbers are keyed by seed and name, so that a remedy which adds a layer does
    /// not change how the others start.
    /// </summary>
    public void Initialize(ulong seed)
    {
        for (int i = 0; i < ops.Count; i++)
        {
            ParameterSlice slice = Slices[i];
            ops[i].Fill(new RandomKey(seed, RandomKey.StreamOf(slice.Name), 0), Value(slice));
        }
    }

    private static void RequireOneBlock(Graph graph)
    {
        long elements = graph.Parameters.Sum(node => (((Parameter)node.Op).Shape.ElementsPerSample + LineElements - 1) / LineElements * LineElements);
        if (elements > int.MaxValue)
        {
            throw new TrainingException($"the network has {elements} parameters; at most {int.MaxValue} can be trained");
        }
    }

    public void Dispose()
    {
        values.Dispose();
        gradients.Dispose();
    }
}
