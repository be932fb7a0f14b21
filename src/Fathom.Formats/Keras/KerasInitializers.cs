using System.Text.Json;
using Fathom.Graphs.Initializers;
using Fathom.Training;

namespace Fathom.Formats.Keras;

/// <summary>
/// Keras' initializers. Those that Keras calls normal are normals cut at two deviations and rescaled, except
/// RandomNormal, which is not cut.
/// </summary>
internal static class KerasInitializers
{
    internal static readonly string[] Supported =
    [
        "Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "GlorotNormal",
        "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal", "Identity",
    ];

    /// <summary>The initializer under a key, or null if there is none (then Keras' default for the layer holds).</summary>
    public static Initializer? Read(KerasJson layer, string key)
    {
        if (layer.Find(key) is not { } value)
        {
            return null;
        }
        if (value.ValueKind == JsonValueKind.String)
        {
            return Create(layer, key, value.GetString()!, null);
        }
        KerasJson initializer = new(layer.File, layer.Owner, value);
        return Create(layer, key, initializer.Text("class_name"), initializer.Object("config"));
    }

    private static Initializer Create(KerasJson layer, string key, string name, KerasJson? config)
    {
        double Number(string setting, double fallback) => config?.Number(setting, fallback) ?? fallback;
        double Positive(string setting, double fallback) => config?.Positive(setting, fallback) ?? fallback;
        return KerasNames.Plain(name) switch
        {
            "zeros" or "zero" => ConstantInitializer.Zeros,
            "ones" or "one" => ConstantInitializer.Ones,
            "constant" => new ConstantInitializer(Number("value", 0)),
            "randomnormal" or "normal" => new NormalInitializer(Number("mean", 0), Positive("stddev", 0.05)),
            "randomuniform" or "uniform" => new UniformInitializer(Number("minval", -0.05), Number("maxval", 0.05)),
            "truncatednormal" => new TruncatedNormalInitializer(Number("mean", 0), Positive("stddev", 0.05)),
            "variancescaling" => Scaling(layer, key, config),
            "glorotnormal" or "xaviernormal" => Truncated(VarianceScaling.XavierNormal),
            "glorotuniform" or "xavieruniform" => VarianceScaling.XavierUniform,
            "henormal" => Truncated(VarianceScaling.HeNormal),
            "heuniform" => VarianceScaling.HeUniform,
            "lecunnormal" => Truncated(VarianceScaling.LeCunNormal),
            "lecununiform" => VarianceScaling.LeCunUniform,
            "orthogonal" or "orthogonalinitializer" => new Orthogonal(Number("gain", 1)),
            "identity" or "identityinitializer" => new IdentityInitializer(Number("gain", 1)),
            _ => throw layer.KeyError(key, $"{Spelling.Unknown("initializer", name, Supported)}: {ModelFormatException.Quote(name)}", Spelling.List(Supported)),
        };
    }

    private static VarianceScaling Truncated(VarianceScaling normal) => normal with { Distribution = WeightDistribution.TruncatedNormal };

    private static VarianceScaling Scaling(KerasJson layer, string key, KerasJson? config)
    {
        string mode = config?.Text("mode", "fan_in") ?? "fan_in";
        string distribution = config?.Text("distribution", "truncated_normal") ?? "truncated_normal";
        return new VarianceScaling(config?.Positive("scale", 1) ?? 1,
            mode switch
            {
                "fan_in" => FanMode.In,
                "fan_out" => FanMode.Out,
                "fan_avg" => FanMode.Average,
                _ => throw layer.KeyError(key, $"mode is {ModelFormatException.Quote(mode)}", "fan_in, fan_out, fan_avg"),
            },
            distribution switch
            {
                "truncated_normal" or "normal" => WeightDistribution.TruncatedNormal,
                "untruncated_normal" => WeightDistribution.Normal,
                "uniform" => WeightDistribution.Uniform,
                _ => throw layer.KeyError(key, $"distribution is {ModelFormatException.Quote(distribution)}", "truncated_normal, untruncated_normal, uniform"),
            });
    }
}

/// <summary>Keras knows the same thing as <c>GlorotUniform</c> and <c>glorot_uniform</c>.</summary>
internal static class KerasNames
{
    /// <summary>Small letters and digits only; what a registered name has before «&gt;» is its package.</summary>
    public static string Plain(string name) => string.Concat(name[(name.LastIndexOf('>') + 1)..].Where(char.IsLetterOrDigit)).ToLowerInvariant();
}
