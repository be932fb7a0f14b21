using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// The gain of the weights that an activation reads, by its name. For the names that PyTorch's <c>calculate_gain</c> knows
/// these are its numbers; other activations of the catalog have <see cref="Activation.RecommendedWeightGain"/>.
/// </summary>
public static class ActivationGain
{
    /// <summary>Slope below 0 that PyTorch assumes of a leaky ReLU.</summary>
    private const double DefaultNegativeSlope = 0.01;

    /// <summary>All names, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. OpCatalog.ByKind.Where(pair => pair.Value is Activation).Select(pair => pair.Key)
            .Union(["linear", "conv1d", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]).Order(StringComparer.Ordinal),
    ];

    /// <summary>The gain g of Var(w) = g² / fan: 1 for linear and sigmoid, 5/3 for tanh, √2 for ReLU, √(2/(1 + a²)) for leaky ReLU, 3/4 for SELU.</summary>
    /// <param name="activation">Name as in a model file.</param>
    /// <param name="negativeSlope">The slope a of a leaky ReLU; null for 0.01.</param>
    /// <exception cref="GraphException">The name is unknown.</exception>
    public static double Of(string activation, double? negativeSlope = null) => activation switch
    {
        "linear" or "conv1d" or "conv2d" or "sigmoid" => 1,
        "tanh" => 5.0 / 3,
        "relu" => double.Sqrt(2),
        "leaky_relu" => new LeakyRelu(negativeSlope ?? DefaultNegativeSlope).RecommendedWeightGain,
        "selu" => 0.75,
        _ => OpCatalog.ByKind.GetValueOrDefault(activation) is Activation other ? other.RecommendedWeightGain
            : throw new GraphException($"no gain is known for '{activation}'; it must be a number or one of {string.Join(", ", Names)}"),
    };
}
