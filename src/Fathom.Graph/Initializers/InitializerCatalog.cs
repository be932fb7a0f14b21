using System.Collections.Frozen;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// The initializers that a model file may name: the one list to add a line to. Glorot is another name for Xavier, and
/// Kaiming for He.
/// </summary>
public static class InitializerCatalog
{
    public static readonly FrozenDictionary<string, Initializer> ByKind = Named().ToFrozenDictionary();

    /// <summary>Makes an initializer from its name.</summary>
    /// <param name="kind">A name in <see cref="ByKind"/>, such as <c>he_normal</c> or <c>kaiming_normal</c>.</param>
    /// <param name="gain">
    /// Replaces the gain: Var(w) = gain² / fan, for orthogonal the length of its rows, for identity its diagonal. √2 is
    /// He's own. Only for initializers that scale by fan, and for orthogonal, delta-orthogonal and identity.
    /// </param>
    /// <param name="mode">Replaces the fan that is divided by. Only for initializers that scale by fan.</param>
    /// <exception cref="GraphException">The name is unknown, or it does not take the setting.</exception>
    public static Initializer Create(string kind, double? gain = null, FanMode? mode = null)
    {
        if (!ByKind.TryGetValue(kind, out Initializer? initializer))
        {
            throw new GraphException($"'{kind}' is no initializer; known are {string.Join(", ", ByKind.Keys.Order(StringComparer.Ordinal))}");
        }
        if (gain is { } given && !(given > 0 && double.IsFinite(given)))
        {
            throw new GraphException($"initializer {kind}: gain is {FormattableString.Invariant($"{given}")}; it must be greater than 0 and finite");
        }
        return (initializer, gain, mode) switch
        {
            (VarianceScaling scaling, _, _) => scaling with { Scale = gain * gain ?? scaling.Scale, Mode = mode ?? scaling.Mode },
            (Orthogonal orthogonal, _, null) => orthogonal with { Gain = gain ?? orthogonal.Gain },
            (DeltaOrthogonal orthogonal, _, null) => orthogonal with { Gain = gain ?? orthogonal.Gain },
            (IdentityInitializer identity, _, null) => identity with { Gain = gain ?? identity.Gain },
            (_, null, null) => initializer,
            (_, _, not null) => throw new GraphException($"initializer {kind}: it has no fan mode; only those that scale by fan have one"),
            _ => throw new GraphException($"initializer {kind}: it has no gain; only orthogonal, delta_orthogonal, identity and those that scale by fan have one"),
        };
    }

    private static IEnumerable<KeyValuePair<string, Initializer>> Named()
    {
        Initializer[] initializers =
        [
            ConstantInitializer.Zeros,
            ConstantInitializer.Ones,
            new NormalInitializer(),
            new UniformInitializer(),
            new TruncatedNormalInitializer(),
            VarianceScaling.XavierNormal,
            VarianceScaling.XavierUniform,
            VarianceScaling.XavierNormal with { Distribution = WeightDistribution.TruncatedNormal },
            VarianceScaling.HeNormal,
            VarianceScaling.HeUniform,
            VarianceScaling.HeNormal with { Distribution = WeightDistribution.TruncatedNormal },
            VarianceScaling.LeCunNormal,
            VarianceScaling.LeCunUniform,
            VarianceScaling.LeCunNormal with { Distribution = WeightDistribution.TruncatedNormal },
            new VarianceScaling(1, FanMode.In, WeightDistribution.TruncatedNormal),
            new Orthogonal(),
            new ForgetGateBias(),
            new DeltaOrthogonal(),
            new IdentityInitializer(),
            new QueryKeyValueXavier(),
        ];
        yield return KeyValuePair.Create<string, Initializer>("constant", ConstantInitializer.Zeros);
        foreach (Initializer initializer in initializers)
        {
            string kind = initializer.Kind;
            yield return KeyValuePair.Create(kind, initializer);
            if (kind.StartsWith("xavier_", StringComparison.Ordinal))
            {
                yield return KeyValuePair.Create("glorot_" + kind["xavier_".Length..], initializer);
            }
            else if (kind.StartsWith("he_", StringComparison.Ordinal))
            {
                yield return KeyValuePair.Create("kaiming_" + kind["he_".Length..], initializer);
            }
        }
    }
}
