using System.Text.Json;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Keras;

/// <summary>A learning rate: a number, or one of Keras' schedules, which count steps and give whole rates rather than factors.</summary>
internal static class KerasLearningRates
{
    private const string Supported = "a number greater than 0, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay";

    public static (double Rate, Schedule Schedule) Read(KerasJson optimizer, double fallback)
    {
        string key = optimizer.Has("learning_rate") ? "learning_rate" : "lr";
        if (optimizer.Find(key) is not { ValueKind: JsonValueKind.Object } value)
        {
            return (optimizer.Positive(key, fallback), ConstantSchedule.Instance);
        }
        KerasJson schedule = new(optimizer.File, optimizer.Owner, value);
        string name = schedule.Text("class_name");
        KerasJson config = schedule.Object("config") ?? throw schedule.KeyError("config", "the key is missing", "an object");
        double rate = name is "PiecewiseConstantDecay" or "CosineDecay" ? 0 : config.Positive("initial_learning_rate");
        return name switch
        {
            "ExponentialDecay" => (rate, new KerasExponentialDecay(config.Whole("decay_steps", 1), config.Positive("decay_rate"), config.Flag("staircase", false))),
            "InverseTimeDecay" => (rate, new KerasInverseTimeDecay(config.Whole("decay_steps", 1), config.Number("decay_rate"), config.Flag("staircase", false))),
            "PolynomialDecay" => (rate, new KerasPolynomialDecay(config.Whole("decay_steps", 1), config.Number("end_learning_rate", 1e-4) / rate, config.Number("power", 1), config.Flag("cycle", false))),
            "CosineDecayRestarts" => (rate, new KerasCosineDecayRestarts(config.Whole("first_decay_steps", 1), config.Number("t_mul", 2), config.Number("m_mul", 1), config.Number("alpha", 0))),
            "CosineDecay" => Cosine(config),
            "PiecewiseConstantDecay" => Piecewise(config),
            _ => throw optimizer.KeyError(key, $"the schedule {ModelFormatException.Quote(name)} is not supported", Supported),
        };
    }

    /// <summary>With a warm-up the rate rises from initial_learning_rate to warmup_target and falls from there.</summary>
    private static (double Rate, Schedule Schedule) Cosine(KerasJson config)
    {
        (int steps, double floor, int warmup) = (config.Whole("decay_steps", 1), config.Number("alpha", 0), config.Whole("warmup_steps", 0, 0));
        if (!config.Has("warmup_target"))
        {
            // Without a target Keras has no warm-up, whatever warmup_steps says.
            return (config.Positive("initial_learning_rate"), new KerasCosineDecay(steps, floor));
        }
        double target = config.Positive("warmup_target");
        return (target, new KerasCosineDecay(steps, floor, warmup, config.Number("initial_learning_rate") / target));
    }

    private static (double Rate, Schedule Schedule) Piecewise(KerasJson config)
    {
        double[] boundaries = config.Numbers("boundaries");
        double[] values = config.Numbers("values");
        if (values.Length != boundaries.Length + 1 || !(values[0] > 0))
        {
            throw config.KeyError("values", $"{values.Length} are given for {boundaries.Length} boundaries", $"{boundaries.Length + 1} numbers greater than 0");
        }
        return (values[0], new KerasPiecewiseConstantDecay([.. boundaries], [.. values.Select(value => value / values[0])]));
    }
}
