using System.Text.Json.Nodes;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Keras;

/// <summary>Learning rates over a run in Keras' words. Keras counts steps, so that what counts epochs can be said for a known number of rows only.</summary>
public static class KerasSchedules
{
    /// <summary>The schedule of Keras with the same factor in each step of a run; the given one if Keras has none.</summary>
    /// <param name="schedule">The schedule.</param>
    /// <param name="stepsPerEpoch">Steps of an epoch.</param>
    /// <param name="totalSteps">Steps of the run.</param>
    public static Schedule Of(Schedule schedule, long stepsPerEpoch, long totalSteps) => schedule switch
    {
        // What is held is a rise from 1 to 1.
        CosineSchedule { Epochs: 0 } fall when fall.HeldSteps(totalSteps) is > 0 and long held => new KerasCosineDecay(totalSteps - held, fall.Floor, held, 1),
        CosineSchedule { Epochs: 0 } fall => new KerasCosineDecay(totalSteps, fall.Floor),
        // A fall to where it is: Keras' cosine alone can rise first.
        WarmupSchedule { EndFactor: 1, Then: null or ConstantSchedule } rise => new KerasCosineDecay(totalSteps, 1, rise.Steps, rise.StartFactor),
        StepSchedule step => new KerasExponentialDecay(step.Epochs * stepsPerEpoch, step.Gamma, Staircase: true),
        ExponentialSchedule fall => new KerasExponentialDecay(stepsPerEpoch, fall.Gamma, Staircase: true),
        _ => schedule,
    };

    /// <summary>The learning rate as an optimizer's config has it: a number, or a schedule of Keras.</summary>
    internal static JsonNode Rate(double rate, Schedule schedule, bool isVersion3) => schedule switch
    {
        KerasCosineDecay { WarmupSteps: > 0 } s => Object("CosineDecay", new JsonObject
        {
            ["initial_learning_rate"] = rate * s.WarmupStart, ["decay_steps"] = s.Steps, ["alpha"] = s.Floor, ["warmup_target"] = rate, ["warmup_steps"] = s.WarmupSteps,
        }, isVersion3),
        KerasCosineDecay s => Object("CosineDecay", new JsonObject { ["initial_learning_rate"] = rate, ["decay_steps"] = s.Steps, ["alpha"] = s.Floor }, isVersion3),
        KerasCosineDecayRestarts s => Object("CosineDecayRestarts", new JsonObject { ["initial_learning_rate"] = rate, ["first_decay_steps"] = s.Steps, ["t_mul"] = s.Multiplier, ["m_mul"] = s.Height, ["alpha"] = s.Floor }, isVersion3),
        KerasExponentialDecay s => Object("ExponentialDecay", new JsonObject { ["initial_learning_rate"] = rate, ["decay_steps"] = s.Steps, ["decay_rate"] = s.Rate, ["staircase"] = s.Staircase }, isVersion3),
        KerasInverseTimeDecay s => Object("InverseTimeDecay", new JsonObject { ["initial_learning_rate"] = rate, ["decay_steps"] = s.Steps, ["decay_rate"] = s.Rate, ["staircase"] = s.Staircase }, isVersion3),
        KerasPolynomialDecay s => Object("PolynomialDecay", new JsonObject { ["initial_learning_rate"] = rate, ["decay_steps"] = s.Steps, ["end_learning_rate"] = rate * s.Floor, ["power"] = s.Power, ["cycle"] = s.Cycle }, isVersion3),
        _ => rate,
    };

    /// <summary>Factors that a file holds as rates may come back with another last digit.</summary>
    internal static bool Same(Schedule a, Schedule b) => (a, b) switch
    {
        (KerasCosineDecay x, KerasCosineDecay y) => x with { WarmupStart = y.WarmupStart } == y && Math.Abs(x.WarmupStart - y.WarmupStart) < 1e-12,
        (KerasPolynomialDecay x, KerasPolynomialDecay y) => x with { Floor = y.Floor } == y && Math.Abs(x.Floor - y.Floor) < 1e-12,
        _ => a.Equals(b),
    };

    private static JsonObject Object(string name, JsonObject config, bool isVersion3) => isVersion3
        ? new JsonObject { ["module"] = "keras.optimizers.schedules", ["class_name"] = name, ["config"] = config, ["registered_name"] = null }
        : new JsonObject { ["class_name"] = name, ["config"] = config };
}
