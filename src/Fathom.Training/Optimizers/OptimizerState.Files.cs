using System.Numerics;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <content>The state as named arrays, for checkpoints.</content>
public sealed partial class OptimizerState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The names of the state's tensors, <c>optimizer.PARAMETER.INDEX</c>.</summary>
    public IEnumerable<string> TensorNames => slices.SelectMany(NamesOf);

    /// <summary>The names of one parameter's state tensors.</summary>
    public IEnumerable<string> NamesOf(ParameterSlice slice) => Enumerable.Range(0, states.Length).Select(state => NameOf(slice, state));

    /// <summary>One parameter's state tensors.</summary>
    public IEnumerable<T[]> Export(ParameterSlice slice) => states.Select(state => state.Slice(slice.Offset, slice.Length).Span.ToArray());

    /// <summary>The state as arrays, named <c>optimizer.PARAMETER.INDEX</c>.</summary>
    public IReadOnlyDictionary<string, T[]> Export()
    {
        Dictionary<string, T[]> result = [];
        foreach (ParameterSlice slice in slices)
        {
            for (int i = 0; i < states.Length; i++)
            {
                result[NameOf(slice, i)] = states[i].Slice(slice.Offset, slice.Length).Span.ToArray();
            }
        }
        return result;
    }

    /// <summary>Takes over an exported state; other names are ignored.</summary>
    /// <exception cref="TrainingException">An array is missing or has the wrong length; nothing has changed then.</exception>
    public void Import(IReadOnlyDictionary<string, T[]> tensors)
    {
        foreach (ParameterSlice slice in slices)
        {
            for (int i = 0; i < states.Length; i++)
            {
                string name = NameOf(slice, i);
                if (!tensors.TryGetValue(name, out T[]? state))
                {
                    throw new TrainingException($"the state of {Kind} has no tensor '{name}'; it belongs to another network or optimizer");
                }
                if (state.Length != slice.Length)
                {
                    throw new TrainingException($"the tensor '{name}' has {state.Length} elements; the parameter has {slice.Length}");
                }
            }
        }
        foreach (ParameterSlice slice in slices)
        {
            for (int i = 0; i < states.Length; i++)
            {
                tensors[NameOf(slice, i)].CopyTo(states[i].Slice(slice.Offset, slice.Length).Span);
            }
        }
    }

    private static string NameOf(ParameterSlice slice, int state) => FormattableString.Invariant($"optimizer.{slice.Name}.{state}");
}
