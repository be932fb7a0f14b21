using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training.Execution;

namespace Fathom.Training.Regularization;

/// <summary>The regularizers of a plan with the parameters that each applies to, in the order of the plan.</summary>
public sealed class RegularizerSet<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly ParameterStore<T> store;
    private readonly ulong seed;
    private readonly Item[] items;
    private readonly AlignedMemory<T> scratch;

    /// <param name="network">The network, whose layers the rules may name.</param>
    /// <param name="store">Its parameters.</param>
    /// <param name="rules">The rules.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <exception cref="TrainingException">A rule names a layer that is not there.</exception>
    public RegularizerSet(Graph network, ParameterStore<T> store, IReadOnlyList<Regularizer> rules, ulong seed)
    {
        (this.store, this.seed) = (store, seed);
        List<Item> list = [];
        int needed = 0;
        for (int index = 0; index < rules.Count; index++)
        {
            foreach (Node parameter in rules[index].ParametersOf(network))
            {
                ParameterSlice slice = store.Find(parameter.Name);
                int rows = slice.Shape.Rank <= 1 ? 1 : slice.Shape[0].Size;
                // Not the stream that the parameter was initialized from, and another one for a second rule of noise.
                uint stream = RandomKey.StreamOf(FormattableString.Invariant($"{slice.Name} regularization {index}"));
                list.Add(new Item(rules[index], slice, rows, stream));
                needed = Math.Max(needed, rules[index].ScratchElements(rows, slice.Length / rows));
            }
        }
        items = [.. list];
        scratch = new AlignedMemory<T>(needed);
    }

    /// <summary>Adds penalties' gradients and noise to the gradients in the store.</summary>
    /// <returns>The sum of all penalties.</returns>
    public double AddToGradients(long step, WorkerPool pool)
    {
        double penalty = 0;
        foreach (ref readonly Item item in items.AsSpan())
        {
            RegularizerScope<T> scope = ScopeOf(item, step, pool);
            penalty += item.Rule.AddTo(in scope);
        }
        return penalty;
    }

    /// <summary>Brings the parameters back into their bounds.</summary>
    public void Project(long step, WorkerPool pool)
    {
        foreach (ref readonly Item item in items.AsSpan())
        {
            RegularizerScope<T> scope = ScopeOf(item, step, pool);
            item.Rule.Project(in scope);
        }
    }

    public void Dispose() => scratch.Dispose();

    private RegularizerScope<T> ScopeOf(in Item item, long step, WorkerPool pool) => new()
    {
        Values = store.Value(item.Slice),
        Gradient = store.Gradient(item.Slice),
        Rows = item.Rows,
        Scratch = scratch.Buffer,
        Random = new RandomKey(seed, item.Stream, (ulong)step),
        Step = step,
        Pool = pool,
    };

    private readonly record struct Item(Regularizer Rule, ParameterSlice Slice, int Rows, uint Stream);
}
