using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Keras;

/// <summary>Reads compile_config into a training plan; says what it assumes where a file has none.</summary>
internal static class KerasTraining
{
    /// <summary>Keras keeps neither batch size nor epochs in a model.</summary>
    private const int BatchSize = 32;

    private const int Epochs = 20;

    public static TrainingPlan Read(KerasJson root, Graph graph, List<string> warnings)
    {
        KerasJson? compiled = root.Find("compile_config") is { } config ? new KerasJson(root.File, "compile_config", config) : null;
        Loss loss = compiled is not null && compiled.Has("loss") ? KerasLosses.Read(compiled, graph) : Assumed(graph, root.File, warnings);
        (Optimizer optimizer, Schedule schedule, GradientClipping? clipping) = compiled is not null && compiled.Has("optimizer")
            ? KerasOptimizers.Read(compiled)
            : AssumedOptimizer(root.File, warnings);
        Check(compiled ?? root, graph, loss, optimizer, schedule, clipping);
        return new TrainingPlan { Loss = loss, Optimizer = optimizer, Schedule = schedule, Clipping = clipping, BatchSize = BatchSize, Epochs = Epochs };
    }

    private static (Optimizer, Schedule, GradientClipping?) AssumedOptimizer(string file, List<string> warnings)
    {
        warnings.Add($"{file}: the file does not say how the model is trained (no compile_config with an optimizer); Keras' Adam with a learning rate of 0.001 is assumed");
        return (new KerasAdam(), ConstantSchedule.Instance, null);
    }

    /// <summary>A softmax or several outputs mean classes, one sigmoid output means two, and one other output a number.</summary>
    private static Loss Assumed(Graph graph, string file, List<string> warnings)
    {
        Op last = graph.Output.Node.Op;
        Shape shape = graph.Output.Shape;
        bool isSingle = shape.Rank >= 1 && shape[^1] is { Size: 1, PerSample: false };
        (Loss loss, string reason) = (last, isSingle) switch
        {
            (Softmax, _) => (new CrossEntropy(FromLogits: false), "categorical cross-entropy on probabilities, since it ends in a softmax,"),
            (Sigmoid, _) => (new BinaryCrossEntropy(FromLogits: false), "binary cross-entropy on probabilities, since it ends in a sigmoid,"),
            (_, false) => (new CrossEntropy(FromLogits: true), "categorical cross-entropy on logits, since it has several outputs and no softmax,"),
            _ => ((Loss)new MeanSquaredError(), "the mean squared error, since it has one output without a sigmoid,"),
        };
        warnings.Add($"{file}: the file does not say with which loss the model is trained (no compile_config with a loss); {reason} is assumed");
        return loss;
    }

    private static void Check(KerasJson owner, Graph graph, Loss loss, Optimizer optimizer, Schedule schedule, GradientClipping? clipping)
    {
        try
        {
            optimizer.Validate();
            schedule.Validate();
            clipping?.Validate();
            loss.Validate();
            LossCheck.Attach(graph, loss);
        }
        catch (Exception error) when (error is TrainingException or GraphException)
        {
            throw owner.Error(error.Message);
        }
    }
}

/// <summary>Keras' losses, by function or by class.</summary>
internal static class KerasLosses
{
    internal static readonly string[] Supported =
    [
        "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "mean_squared_error", "mse",
        "mean_absolute_error", "mae", "huber", "hinge", "kl_divergence",
    ];

    public static Loss Read(KerasJson compiled, Graph graph)
    {
        RefuseWeights(compiled);
        JsonElement value = compiled.Find("loss")!.Value;
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 1)
        {
            value = value[0];
        }
        if (value.ValueKind == JsonValueKind.String)
        {
            return Create(compiled, value.GetString()!, null);
        }
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw compiled.KeyError("loss", $"{KerasJson.Describe(value)} is not one loss", Spelling.List(Supported));
        }
        if (!value.TryGetProperty("class_name", out _))
        {
            JsonProperty[] byOutput = [.. value.EnumerateObject()];
            return byOutput.Length == 1 && byOutput[0].Value.ValueKind == JsonValueKind.String ? Create(compiled, byOutput[0].Value.GetString()!, null)
                : throw compiled.KeyError("loss", "one loss for one output is supported", Spelling.List(Supported));
        }
        KerasJson loss = new(compiled.File, "compile_config, loss", value);
        JsonElement config = loss.Find("config") ?? default;
        return config.ValueKind == JsonValueKind.String ? Create(compiled, config.GetString()!, null)
            : Create(compiled, loss.Text("class_name"), loss.Object("config"));
    }

    private static Loss Create(KerasJson compiled, string name, KerasJson? config)
    {
        string reduction = config?.Text("reduction", "auto") ?? "auto";
        if (reduction is not ("auto" or "sum_over_batch_size" or "mean"))
        {
            throw config!.KeyError("reduction", $"{ModelFormatException.Quote(reduction)} is not supported", "sum_over_batch_size, mean");
        }
        bool fromLogits = config?.Flag("from_logits", false) ?? false;
        double smoothing = config?.Number("label_smoothing", 0) ?? 0;
        if (config?.Find("ignore_class") is not null)
        {
            throw config.KeyError("ignore_class", "a class that does not count is not supported", "null");
        }
        Loss? loss = KerasNames.Plain(name) switch
        {
            "sparsecategoricalcrossentropy" or "categoricalcrossentropy" => new CrossEntropy(fromLogits, LabelSmoothing: smoothing),
            "binarycrossentropy" => new BinaryCrossEntropy(fromLogits),
            "meansquarederror" or "mse" => new MeanSquaredError(),
            "meanabsoluteerror" or "mae" => new MeanAbsoluteError(),
            "huber" or "huberloss" => new Huber(config?.Positive("delta", 1) ?? 1),
            "hinge" => new Hinge(),
            "kldivergence" or "kullbackleiblerdivergence" => new KullbackLeibler(FromProbabilities: true),
            _ => throw compiled.KeyError("loss", $"{Spelling.Unknown("loss", name, Supported)}: {ModelFormatException.Quote(name)}", Spelling.List(Supported)),
        };
        return smoothing == 0 || loss is CrossEntropy ? loss
            : throw config!.KeyError("label_smoothing", "it is supported for categorical cross-entropy only", "0");
    }

    private static void RefuseWeights(KerasJson compiled)
    {
        if (compiled.Find("loss_weights") is { } weights && !(weights.ValueKind == JsonValueKind.Number && weights.GetDouble() == 1))
        {
            throw compiled.KeyError("loss_weights", "a weight on the loss is not supported", "null");
        }
    }
}
