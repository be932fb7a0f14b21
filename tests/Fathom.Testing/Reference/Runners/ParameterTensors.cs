using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training.Execution;

namespace Fathom.Testing.Reference.Runners;

/// <summary>A store of parameters without a network: what optimizers and clipping work on.</summary>
public static class ParameterTensors
{
    /// <summary>Parameters named p0, p1 … of the given shapes, all 0.</summary>
    public static ParameterStore<T> Store<T>(params IReadOnlyList<int[]> shapes) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        GraphBuilder builder = new();
        Value[] parameters = new Value[shapes.Count];
        for (int i = 0; i < parameters.Length; i++)
        {
            Dim[] dims = [.. shapes[i].Select(extent => (Dim)extent)];
            parameters[i] = builder.Parameter(FormattableString.Invariant($"p{i}"), Shape.Of(dims), ConstantInitializer.Zeros);
        }
        return new ParameterStore<T>(builder.Build(parameters));
    }
}
