using System.Text.Json;
using Fathom.Training;
using Fathom.Training.Regularization;

namespace Fathom.Formats.Keras;

/// <summary>Penalties and constraints on single parameters, as parts of the training plan.</summary>
internal static class KerasRegularizers
{
    private const double DefaultStrength = 0.01;

    /// <summary>What KEY_regularizer and KEY_constraint ask for.</summary>
    public static IEnumerable<Regularizer> Read(KerasJson layer, string key, string parameter) =>
        [.. ReadPenalty(layer, key + "_regularizer", parameter), .. ReadConstraint(layer, key + "_constraint", parameter)];

    /// <summary>Equal rules of several parameters as one.</summary>
    public static IEnumerable<Regularizer> Merge(IEnumerable<Regularizer> regularizers) =>
        regularizers.GroupBy(rule => rule with { Layers = [] }).Select(group => group.Key with { Layers = [.. group.SelectMany(rule => rule.Layers).Distinct()] });

    private static IEnumerable<Regularizer> ReadPenalty(KerasJson layer, string key, string parameter)
    {
        if (layer.Find(key) is not { } value)
        {
            return [];
        }
        (string name, KerasJson? config) = Named(layer, value);
        (double l1, double l2) = KerasNames.Plain(name) switch
        {
            "l1" => (Strength(config, "l1", DefaultStrength), 0),
            "l2" => (0, Strength(config, "l2", DefaultStrength)),
            // A single L1 or L2 is stored as L1L2 by Keras 2, with the other at 0.
            "l1l2" => (Strength(config, "l1", config is null ? DefaultStrength : 0), Strength(config, "l2", config is null ? DefaultStrength : 0)),
            _ => throw layer.KeyError(key, $"{ModelFormatException.Quote(name)} is not supported", "L1, L2, L1L2"),
        };
        return
        [
            .. l1 > 0 ? [new L1(l1, [parameter])] : Array.Empty<Regularizer>(),
            .. l2 > 0 ? [new L2(l2, [parameter])] : Array.Empty<Regularizer>(),
        ];
    }

    private static IEnumerable<Regularizer> ReadConstraint(KerasJson layer, string key, string parameter)
    {
        if (layer.Find(key) is not { } value)
        {
            return [];
        }
        (string name, KerasJson? config) = Named(layer, value);
        if (KerasNames.Plain(name) != "maxnorm")
        {
            throw layer.KeyError(key, $"{ModelFormatException.Quote(name)} is not supported", "MaxNorm");
        }
        double limit = config is null ? 2 : config.Has("max_value") ? config.Positive("max_value") : config.Positive("m", 2);
        return [new MaxNorm(limit, [parameter])];
    }

    /// <summary>
    /// The axes over which a constraint takes its norm. Keras' kernels have the output units last, so that all axes but
    /// the last make a unit's norm.
    /// </summary>
    public static void RequireUnitNorm(KerasJson layer, string key, int kernelAxes)
    {
        bool isObject = layer.Find(key) is { ValueKind: JsonValueKind.Object };
        if (!isObject || layer.Object(key) is not { } constraint || constraint.Object("config")?.Find("axis") is not { } axis)
        {
            return;
        }
        string given = axis.GetRawText().Replace(" ", "", StringComparison.Ordinal).Trim('[', ']');
        string wanted = string.Join(",", Enumerable.Range(0, Math.Max(1, kernelAxes - 1)));
        if (given != wanted)
        {
            throw layer.KeyError(key, $"a norm over the axes [{given}] is not supported", $"axis [{wanted}], which is one norm for each output unit");
        }
    }

    private static (string Name, KerasJson? Config) Named(KerasJson layer, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return (value.GetString()!, null);
        }
        KerasJson rule = new(layer.File, layer.Owner, value);
        return (rule.Text("class_name"), rule.Object("config"));
    }

    private static double Strength(KerasJson? config, string key, double fallback)
    {
        double strength = config?.Number(key, fallback) ?? fallback;
        return strength >= 0 ? strength : throw config!.KeyError(key, FormattableString.Invariant($"{strength} is out of range"), "0 or more");
    }
}
