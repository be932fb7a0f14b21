using Fathom.Graphs.Initializers;

namespace Fathom.Formats;

/// <summary>Which settings of an initializer a model file shows; a record that several names share has fewer under some.</summary>
internal static class InitializerSettings
{
    /// <summary>The settings that a name already fixes: <c>he_normal</c> says what family and distribution it is.</summary>
    public static bool Hides(string kind, string setting) => kind switch
    {
        "zeros" or "ones" => true,
        "variance_scaling" => setting == "family",
        _ => setting is "family" or "distribution" && InitializerCatalog.ByKind.GetValueOrDefault(kind) is VarianceScaling,
    };
}
