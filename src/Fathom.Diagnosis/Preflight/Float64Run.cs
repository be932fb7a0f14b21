using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// A network run node by node in float64, every value kept, so that one can go back to it from anywhere: products of
/// Jacobians with vectors need nothing else. Layers behave as in training, but those that draw noise, such as dropout, are
/// still: the Jacobian is that of the network without its noise.
/// </summary>
internal sealed class Float64Run : IDisposable
{
    private readonly Dictionary<Value, AlignedMemory<double>> reals = [];
    private readonly Dictionary<Value, AlignedMemory<int>> indices = [];
    private readonly HashSet<AlignedMemory<double>> owned = [];
    private readonly ParameterStore<float> weights;
    private readonly ulong seed;

    /// <param name="batch">Samples.</param>
    /// <param name="weights">Values of the parameters; read when a node first asks for them.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="pool">Workers.</param>
    public Float64Run(int batch, ParameterStore<float> weights, ulong seed, WorkerPool pool)
    {
        (Batch, this.weights, this.seed, Pool) = (batch, weights, seed, pool);
    }

    public int Batch { get; }

    public WorkerPool Pool { get; }

    /// <summary>Elements of all values of a graph's nodes at a batch size.</summary>
    public static long Elements(IEnumerable<Node> nodes, int batch) =>
        nodes.Sum(node => node.Op.IsView ? 0 : node.Outputs.Sum(output => output.Shape.ElementsPerSample * (output.Shape.HasBatch ? batch : 1)));

    /// <summary>A value's elements; its memory is made when it is first asked for.</summary>
    public Buffer<double> Real(Value value)
    {
        if (!reals.TryGetValue(value, out AlignedMemory<double>? memory))
        {
            if (value is { Index: 0, Node.Op.IsView: true })
            {
                Real(value.Node.Inputs[0]);
                memory = reals[value.Node.Inputs[0]];
            }
            else
            {
                memory = new AlignedMemory<double>(value.Shape.Elements(Batch));
                owned.Add(memory);
            }
            reals[value] = memory;
            if (value.Node.Op is Parameter)
            {
                Span<double> span = memory.Buffer;
                ReadOnlySpan<float> stored = weights.Value(weights.Find(value.Node.Name)).Span;
                for (int i = 0; i < span.Length; i++)
                {
                    span[i] = stored[i];
                }
            }
        }
        return memory.Buffer;
    }

    public Buffer<int> Index(Value value)
    {
        if (!indices.TryGetValue(value, out AlignedMemory<int>? memory))
        {
            indices[value] = memory = new AlignedMemory<int>(value.Shape.Elements(Batch));
        }
        return memory.Buffer;
    }

    /// <summary>Runs nodes in the order given; what they read must be there.</summary>
    public void Run(IEnumerable<Node> nodes)
    {
        foreach (Node node in nodes)
        {
            if (node.Op is not (Input or Parameter))
            {
                Run(node, [.. node.Inputs.Select(Bind)], [.. Enumerable.Range(0, node.Outputs.Length).Select(output => Bind(new Value(node, output)))]);
            }
        }
    }

    /// <summary>Runs one node on tensors of the caller.</summary>
    public void Run(Node node, TensorBinding<double>[] inputs, TensorBinding<double>[] outputs) => Run(node, node.Op, inputs, outputs);

    /// <summary>Runs an op in a node's place, with its random numbers.</summary>
    public void Run(Node node, Op op, TensorBinding<double>[] inputs, TensorBinding<double>[] outputs)
    {
        using AlignedMemory<double> scratch = new(op.ScratchElements([.. inputs.Select(binding => binding.Shape)], [.. outputs.Select(binding => binding.Shape)]));
        op.Run(new KernelContext<double>
        {
            Inputs = inputs,
            Outputs = outputs,
            Pool = Pool,
            Training = !IsNoise(node.Forward?.Op ?? op),
            Random = new RandomKey(seed, RandomKey.StreamOf((node.Repeats ?? node).Name), 0),
            Scratch = scratch.Buffer,
        });
    }

    public TensorBinding<double> Bind(Value value) => value.Type.Kind == ElementKind.Real
        ? new TensorBinding<double>(Real(value), default, value.Shape.Bind(Batch))
        : new TensorBinding<double>(default, Index(value), value.Shape.Bind(Batch));

    /// <summary>Gives up the memory of some nodes' values.</summary>
    public void Forget(IEnumerable<Node> nodes)
    {
        foreach (Value value in nodes.SelectMany(node => Enumerable.Range(0, node.Outputs.Length).Select(output => new Value(node, output))))
        {
            if (reals.Remove(value, out AlignedMemory<double>? memory) && !(value is { Index: 0, Node.Op.IsView: true }))
            {
                owned.Remove(memory);
                memory.Dispose();
            }
        }
    }

    public void Dispose()
    {
        foreach (AlignedMemory<double> memory in owned)
        {
            memory.Dispose();
        }
        foreach (AlignedMemory<int> memory in indices.Values)
        {
            memory.Dispose();
        }
    }

    private static bool IsNoise(Op op) => op is DropoutOp or GaussianNoise or RRelu or MultiHeadAttention or MultiHeadAttentionGradient;
}
