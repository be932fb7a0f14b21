using System.Collections.Frozen;
using System.Text.Json;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Keras;

/// <summary>Keras' optimizers with Keras' defaults, and the clipping that Keras makes a part of them.</summary>
internal static class KerasOptimizers
{
    private delegate Optimizer Maker(KerasJson config, double learningRate, double weightDecay);

    internal static readonly string[] Supported = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adamax", "Nadam", "Adadelta", "Lion"];

    private static readonly FrozenDictionary<string, (double LearningRate, double WeightDecay, Maker Make)> Makers =
        new Dictionary<string, (double LearningRate, double WeightDecay, Maker Make)>
        {
            ["sgd"] = (0.01, 0, static (config, rate, decay) => new KerasSgd(rate, config.Number("momentum", 0), config.Flag("nesterov", false), decay)),
            ["adam"] = (0.001, 0, MakeAdam),
            ["adamw"] = (0.001, 0.004, MakeAdam),
            ["rmsprop"] = (0.001, 0, static (config, rate, decay) =>
                new KerasRmsProp(rate, config.Number("rho", 0.9), config.Number("momentum", 0), config.Number("epsilon", 1e-7), config.Flag("centered", false), decay)),
            ["adagrad"] = (0.001, 0, static (config, rate, decay) =>
                new KerasAdagrad(rate, config.Number("initial_accumulator_value", 0.1), config.Number("epsilon", 1e-7), decay)),
            ["adamax"] = (0.001, 0, static (config, rate, decay) =>
                new KerasAdamax(rate, config.Number("beta_1", 0.9), config.Number("beta_2", 0.999), config.Number("epsilon", 1e-7), decay)),
            ["nadam"] = (0.001, 0, static (config, rate, decay) =>
                new KerasNadam(rate, config.Number("beta_1", 0.9), config.Number("beta_2", 0.999), config.Number("epsilon", 1e-7), decay)),
            ["adadelta"] = (0.001, 0, static (config, rate, decay) =>
                new KerasAdadelta(rate, config.Number("rho", 0.95), config.Number("epsilon", 1e-7), decay)),
            ["lion"] = (0.001, 0, static (config, rate, decay) =>
                new KerasLion(rate, config.Number("beta_1", 0.9), config.Number("beta_2", 0.99), decay)),
        }.ToFrozenDictionary();

    public static (Optimizer Optimizer, Schedule Schedule, GradientClipping? Clipping) Read(KerasJson compiled)
    {
        JsonElement value = compiled.Find("optimizer")!.Value;
        string name;
        KerasJson config;
        if (value.ValueKind == JsonValueKind.String)
        {
            using JsonDocument empty = JsonDocument.Parse("{}");
            (name, config) = (value.GetString()!, new KerasJson(compiled.File, "optimizer", empty.RootElement.Clone()));
        }
        else
        {
            KerasJson optimizer = new(compiled.File, "optimizer", value);
            name = optimizer.Text("class_name");
            config = new KerasJson(compiled.File, $"optimizer {ModelFormatException.Quote(name)}", optimizer.Require("config", "an object"));
        }
        if (!Makers.TryGetValue(KerasNames.Plain(name), out (double LearningRate, double WeightDecay, Maker Make) kind))
        {
            throw compiled.KeyError("optimizer", $"{Spelling.Unknown("optimizer", name, Supported)}: {ModelFormatException.Quote(name)}", Spelling.List(Supported));
        }
        RefuseExtras(config);
        (double rate, Schedule schedule) = KerasLearningRates.Read(config, kind.LearningRate);
        Optimizer made = kind.Make(config, rate, config.Number("weight_decay", kind.WeightDecay));
        return (made, schedule, Clipping(config));
    }

    private static KerasAdam MakeAdam(KerasJson config, double rate, double decay) =>
        new(rate, config.Number("beta_1", 0.9), config.Number("beta_2", 0.999), config.Number("epsilon", 1e-7), decay, config.Flag("amsgrad", false));

    private static GradientClipping? Clipping(KerasJson config)
    {
        List<GradientClipping> rules = [];
        if (config.Has("clipnorm"))
        {
            rules.Add(new ClipByTensorNorm(config.Positive("clipnorm")));
        }
        if (config.Has("global_clipnorm"))
        {
            rules.Add(new ClipByGlobalNorm(config.Positive("global_clipnorm")));
        }
        if (config.Has("clipvalue"))
        {
            rules.Add(new ClipByValue(config.Positive("clipvalue")));
        }
        return rules.Count <= 1 ? rules.FirstOrDefault() : throw config.Error("more than one of clipnorm, global_clipnorm and clipvalue is set; allowed: one of them");
    }

    private static void RefuseExtras(KerasJson config)
    {
        if (config.Flag("use_ema", false))
        {
            throw config.KeyError("use_ema", "averaged weights are not supported", "false");
        }
        foreach (string key in (ReadOnlySpan<string>)["gradient_accumulation_steps", "loss_scale_factor", "decay", "exclude_from_weight_decay"])
        {
            bool isNeutral = config.Find(key) is not { } value || (value.ValueKind == JsonValueKind.Number && value.GetDouble() == (key == "decay" ? 0 : 1));
            if (!isNeutral)
            {
                throw config.KeyError(key, "it is not supported", "null");
            }
        }
    }
}
