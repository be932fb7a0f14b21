using System.Collections.Frozen;

namespace Fathom.Training.Regularization;

/// <summary>
/// The regularizers that a model file may name: the one list to add a line to. The value has default settings, which a
/// file overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class RegularizerCatalog
{
    public static readonly FrozenDictionary<string, Regularizer> ByKind = new Regularizer[]
    {
        new L1(),
        new L2(),
        new MaxNorm(),
        new Orthogonality(),
        new GradientNoise(),
    }.ToFrozenDictionary(regularizer => regularizer.Kind);
}
