using System.Collections.Frozen;
using Fathom.Graphs.Initializers;

namespace Fathom.Formats;

/// <summary>The initializers that a model file may name; a record that several names share has fewer settings under some.</summary>
internal static class InitializerKinds
{
    public static readonly FrozenDictionary<string, Initializer> ByKind = new Initializer[]
    {
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
    }.Select(initializer => KeyValuePair.Create(initializer.Kind, initializer))
        .Append(KeyValuePair.Create<string, Initializer>("constant", ConstantInitializer.Zeros))
        .ToFrozenDictionary();

    /// <summary>The settings under this name: <c>he_normal</c> already says what family and distribution it is.</summary>
    public static bool Hides(string kind, string setting) => kind switch
    {
        "zeros" or "ones" => true,
        "variance_scaling" => setting == "family",
        _ => setting is "family" or "distribution" && ByKind.GetValueOrDefault(kind) is VarianceScaling,
    };
}
