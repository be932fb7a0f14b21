using System.Text.Json.Nodes;
using Fathom.Graphs.Initializers;

namespace Fathom.Formats.Keras;

/// <summary>Initializers in Keras' words.</summary>
internal static class KerasInitializerText
{
    /// <summary>He and Xavier are variance scaling under another name.</summary>
    public static bool Same(Initializer? a, Initializer? b) => (a, b) switch
    {
        (VarianceScaling x, VarianceScaling y) => x with { Family = y.Family } == y,
        _ => Equals(a, b),
    };

    /// <summary>Null for one that Keras does not know.</summary>
    public static JsonObject? Of(Initializer initializer, bool isVersion3)
    {
        (string Name, JsonObject Config)? written = initializer switch
        {
            ConstantInitializer { Number: 0 } => ("Zeros", new JsonObject()),
            ConstantInitializer { Number: 1 } => ("Ones", new JsonObject()),
            ConstantInitializer constant => ("Constant", new JsonObject { ["value"] = constant.Number }),
            NormalInitializer normal => ("RandomNormal", new JsonObject { ["mean"] = normal.Center, ["stddev"] = normal.StandardDeviation, ["seed"] = null }),
            UniformInitializer uniform => ("RandomUniform", new JsonObject { ["minval"] = uniform.Low, ["maxval"] = uniform.High, ["seed"] = null }),
            Orthogonal orthogonal => ("Orthogonal", new JsonObject { ["gain"] = orthogonal.Gain, ["seed"] = null }),
            IdentityInitializer identity => ("Identity", new JsonObject { ["gain"] = identity.Gain }),
            VarianceScaling scaling => Scaling(scaling),
            _ => null,
        };
        return written is not { } one ? null : isVersion3
            ? new JsonObject { ["module"] = "keras.initializers", ["class_name"] = one.Name, ["config"] = one.Config, ["registered_name"] = null }
            : new JsonObject { ["class_name"] = one.Name, ["config"] = one.Config };
    }

    private static (string, JsonObject) Scaling(VarianceScaling scaling)
    {
        string? name = (scaling.Scale, scaling.Mode, scaling.Distribution) switch
        {
            (1, FanMode.Average, WeightDistribution.Uniform) => "GlorotUniform",
            (2, FanMode.In, WeightDistribution.Uniform) => "HeUniform",
            (1, FanMode.In, WeightDistribution.Uniform) => "LecunUniform",
            (1, FanMode.Average, WeightDistribution.TruncatedNormal) => "GlorotNormal",
            (2, FanMode.In, WeightDistribution.TruncatedNormal) => "HeNormal",
            (1, FanMode.In, WeightDistribution.TruncatedNormal) => "LecunNormal",
            _ => null,
        };
        return name is not null ? (name, new JsonObject { ["seed"] = null }) : ("VarianceScaling", new JsonObject
        {
            ["scale"] = scaling.Scale,
            ["mode"] = scaling.Mode switch { FanMode.In => "fan_in", FanMode.Out => "fan_out", _ => "fan_avg" },
            ["distribution"] = scaling.Distribution switch { WeightDistribution.Uniform => "uniform", WeightDistribution.Normal => "untruncated_normal", _ => "truncated_normal" },
            ["seed"] = null,
        });
    }
}
