using System.Text.Json.Nodes;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Formats.Keras;

/// <summary>Writes what has changed of a training plan into compile_config.</summary>
internal static class KerasCompilation
{
    /// <summary>What a Keras file says of a plan; the rest stays as it was.</summary>
    public static TrainingPlan Sayable(TrainingPlan before, TrainingPlan after) => after with { BatchSize = before.BatchSize, Epochs = before.Epochs, Seed = before.Seed };

    public static void Rewrite(JsonObject root, TrainingPlan before, TrainingPlan after, List<string> notes)
    {
        bool isVersion3 = root.ContainsKey("module");
        bool optimizes = before.Optimizer.Equals(after.Optimizer) && Equals(before.Clipping, after.Clipping) && before.Schedule.Equals(after.Schedule);
        bool loses = before.Loss.Equals(after.Loss);
        if (!optimizes || !loses)
        {
            bool compiles = root["compile_config"] is JsonObject;
            JsonObject compiled = root["compile_config"] as JsonObject ?? [];
            if (!optimizes || !compiles)
            {
                compiled["optimizer"] = Optimizer(compiled["optimizer"] as JsonObject, before, after, isVersion3);
            }
            if (!loses || !compiles)
            {
                compiled["loss"] = Loss(after.Loss, compiled["loss"]?.ToJsonString() ?? "", isVersion3);
            }
            root["compile_config"] = compiled;
        }
        if (before.BatchSize != after.BatchSize)
        {
            notes.Add(FormattableString.Invariant($"a Keras file does not hold the batch size: train with model.fit(…, batch_size={after.BatchSize})"));
        }
    }

    private static JsonObject Optimizer(JsonObject? old, TrainingPlan before, TrainingPlan after, bool isVersion3)
    {
        (string name, JsonObject settings) = Settings(after.Optimizer);
        JsonObject given = old?["config"] as JsonObject ?? [];
        bool sameKind = before.Optimizer.Kind == after.Optimizer.Kind;
        // Of the same optimizer, settings that Fathom has no use for stay.
        JsonObject config = sameKind ? (JsonObject)given.DeepClone() : [];
        JsonNode? rate = given["learning_rate"];
        foreach ((string key, JsonNode? value) in settings)
        {
            config[key] = value?.DeepClone();
        }
        if (before.Schedule.Equals(after.Schedule) && rate is JsonObject schedule && before.Optimizer.LearningRate == after.Optimizer.LearningRate)
        {
            config["learning_rate"] = schedule.DeepClone();
        }
        else
        {
            config["learning_rate"] = KerasSchedules.Rate(after.Optimizer.LearningRate, after.Schedule, isVersion3);
        }
        foreach (string key in (ReadOnlySpan<string>)["clipnorm", "global_clipnorm", "clipvalue"])
        {
            if (config.ContainsKey(key))
            {
                config[key] = null;
            }
        }
        (string Key, double Limit)? clipping = after.Clipping switch
        {
            ClipByTensorNorm { NormType: 2 } rule => ("clipnorm", rule.MaxNorm),
            ClipByGlobalNorm { NormType: 2 } rule => ("global_clipnorm", rule.MaxNorm),
            ClipByValue rule => ("clipvalue", rule.Limit),
            _ => null,
        };
        if (clipping is { } clip)
        {
            config[clip.Key] = clip.Limit;
        }
        return Object("keras.optimizers", name, config, isVersion3);
    }

    private static (string Name, JsonObject Settings) Settings(Optimizer optimizer) => optimizer switch
    {
        KerasSgd o => ("SGD", new JsonObject { ["learning_rate"] = o.LearningRate, ["momentum"] = o.Momentum, ["nesterov"] = o.Nesterov, ["weight_decay"] = Decay(o.WeightDecay) }),
        KerasAdam { WeightDecay: > 0 } o => ("AdamW", new JsonObject { ["learning_rate"] = o.LearningRate, ["beta_1"] = o.Beta1, ["beta_2"] = o.Beta2, ["epsilon"] = o.Epsilon, ["amsgrad"] = o.Amsgrad, ["weight_decay"] = o.WeightDecay }),
        KerasAdam o => ("Adam", new JsonObject { ["learning_rate"] = o.LearningRate, ["beta_1"] = o.Beta1, ["beta_2"] = o.Beta2, ["epsilon"] = o.Epsilon, ["amsgrad"] = o.Amsgrad, ["weight_decay"] = null }),
        KerasRmsProp o => ("RMSprop", new JsonObject { ["learning_rate"] = o.LearningRate, ["rho"] = o.Rho, ["momentum"] = o.Momentum, ["epsilon"] = o.Epsilon, ["centered"] = o.Centered, ["weight_decay"] = Decay(o.WeightDecay) }),
        KerasAdagrad o => ("Adagrad", new JsonObject { ["learning_rate"] = o.LearningRate, ["initial_accumulator_value"] = o.InitialAccumulator, ["epsilon"] = o.Epsilon, ["weight_decay"] = Decay(o.WeightDecay) }),
        KerasAdamax o => ("Adamax", new JsonObject { ["learning_rate"] = o.LearningRate, ["beta_1"] = o.Beta1, ["beta_2"] = o.Beta2, ["epsilon"] = o.Epsilon, ["weight_decay"] = Decay(o.WeightDecay) }),
        KerasNadam o => ("Nadam", new JsonObject { ["learning_rate"] = o.LearningRate, ["beta_1"] = o.Beta1, ["beta_2"] = o.Beta2, ["epsilon"] = o.Epsilon, ["weight_decay"] = Decay(o.WeightDecay) }),
        KerasAdadelta o => ("Adadelta", new JsonObject { ["learning_rate"] = o.LearningRate, ["rho"] = o.Rho, ["epsilon"] = o.Epsilon, ["weight_decay"] = Decay(o.WeightDecay) }),
        KerasLion o => ("Lion", new JsonObject { ["learning_rate"] = o.LearningRate, ["beta_1"] = o.Beta1, ["beta_2"] = o.Beta2, ["weight_decay"] = Decay(o.WeightDecay) }),
        _ => throw new ModelFormatException($"the changed model cannot be said in Keras' format: the optimizer {optimizer.Kind} is none of Keras'"),
    };

    private static JsonNode? Decay(double decay) => decay == 0 ? null : JsonValue.Create(decay);

    /// <summary>Classes stay coded as they were: as numbers, or one-hot.</summary>
    private static JsonNode Loss(Loss loss, string old, bool isVersion3)
    {
        bool isOneHot = KerasNames.Plain(old).Contains("categoricalcrossentropy", StringComparison.Ordinal) && !KerasNames.Plain(old).Contains("sparse", StringComparison.Ordinal);
        (string Name, JsonObject Config) written = loss switch
        {
            CrossEntropy { LabelSmoothing: > 0 } entropy => ("CategoricalCrossentropy", new JsonObject { ["from_logits"] = entropy.FromLogits, ["label_smoothing"] = entropy.LabelSmoothing }),
            CrossEntropy entropy => (isOneHot ? "CategoricalCrossentropy" : "SparseCategoricalCrossentropy", new JsonObject { ["from_logits"] = entropy.FromLogits }),
            BinaryCrossEntropy entropy => ("BinaryCrossentropy", new JsonObject { ["from_logits"] = entropy.FromLogits }),
            MeanSquaredError => ("MeanSquaredError", []),
            MeanAbsoluteError => ("MeanAbsoluteError", []),
            Huber huber => ("Huber", new JsonObject { ["delta"] = huber.Delta }),
            Hinge => ("Hinge", []),
            _ => throw new ModelFormatException($"the changed model cannot be said in Keras' format: the loss {loss.Kind} is none of Keras'"),
        };
        return Object("keras.losses", written.Name, written.Config, isVersion3);
    }

    private static JsonObject Object(string module, string name, JsonObject config, bool isVersion3) => isVersion3
        ? new JsonObject { ["module"] = module, ["class_name"] = name, ["config"] = config, ["registered_name"] = null }
        : new JsonObject { ["class_name"] = name, ["config"] = config };
}
