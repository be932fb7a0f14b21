using System.Globalization;
using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;

namespace Fathom.Formats.ModelFile;

/// <summary>Writes Fathom's own model file (YAML), in an order that never changes; <see cref="ModelFileReader"/> reads it back.</summary>
public static class ModelFileWriter
{
    /// <summary>The text of the file.</summary>
    /// <param name="model">The model.</param>
    /// <param name="header">Comment lines at the top, without «#».</param>
    /// <exception cref="ModelFormatException">The model has something that a model file cannot say.</exception>
    public static string Write(ModelDefinition model, IReadOnlyList<string>? header = null)
    {
        StringBuilder text = new();
        foreach (string line in (header ?? []).SelectMany(entry => entry.Split('\n')))
        {
            string plain = string.Concat(line.Select(letter => char.IsControl(letter) ? ' ' : letter));
            text.Append($"# {plain}".TrimEnd()).Append('\n');
        }
        text.Append(CultureInfo.InvariantCulture, $"fathom: {ModelFileReader.Version}\n");
        text.Append("name: ").Append(YamlWords.Text(model.Name)).Append('\n');
        if (model.Data is { } data)
        {
            text.Append("data: ").Append(Data(data)).Append('\n');
        }
        text.Append(CultureInfo.InvariantCulture, $"seed: {model.Plan.Seed}\n");
        text.Append("input: ").Append(Inputs(model.Graph)).Append('\n');
        text.Append("layers:\n").Append(LayerListWriter.Write(model.Graph));
        if (model.Graph.Outputs.Length > 1 || model.Graph.Output.Index != 0 || model.Graph.Output.Node != LayerListWriter.LastLayer(model.Graph))
        {
            string[] outputs = [.. model.Graph.Outputs.Select(output => YamlWords.Text(LayerListWriter.Reference(output)))];
            text.Append("output: ").Append(outputs.Length == 1 ? outputs[0] : $"[{string.Join(", ", outputs)}]").Append('\n');
        }
        if (model.Plan.Initialization is { } start)
        {
            text.Append("initialization: ").Append(Component<InitializationRule>(start, start.Kind, InitializationCatalog.ByKind)).Append('\n');
        }
        AppendPlan(text, model.Plan);
        return text.ToString();
    }

    private static void AppendPlan(StringBuilder text, TrainingPlan plan)
    {
        text.Append("loss: ").Append(Component(plan.Loss, plan.Loss.Kind, LossCatalog.ByKind)).Append('\n');
        if (plan.ClassWeights is { } weights)
        {
            string numbers = $"[{string.Join(", ", weights.Numbers.Select(YamlWords.Number))}]";
            text.Append(CultureInfo.InvariantCulture, $"class_weights: {(weights.IsBalanced ? ClassWeights.BalancedName : numbers)}\n");
        }
        text.Append("optimizer: ").Append(Rated(plan.Optimizer)).Append('\n');
        if (plan.Schedule is not ConstantSchedule)
        {
            text.Append("schedule: ").Append(Component(plan.Schedule, plan.Schedule.Kind, ScheduleCatalog.ByKind)).Append('\n');
        }
        if (plan.Clipping is { } clipping)
        {
            text.Append("clip: ").Append(Component(clipping, clipping.Kind, ClippingCatalog.ByKind)).Append('\n');
        }
        if (plan.Regularization.Count > 0)
        {
            string[] rules = [.. plan.Regularization.Select(rule => Component(rule, rule.Kind, RegularizerCatalog.ByKind))];
            text.Append(CultureInfo.InvariantCulture, $"regularization: [{string.Join(", ", rules)}]\n");
        }
        string batch = plan.BatchSize == TrainingPlan.FullBatch ? ModelFileReader.FullBatch : plan.BatchSize.ToString(CultureInfo.InvariantCulture);
        text.Append(CultureInfo.InvariantCulture, $"batch: {batch}\n");
        if (plan.Accumulate > 1)
        {
            text.Append(CultureInfo.InvariantCulture, $"accumulate: {plan.Accumulate}\n");
        }
        if (plan.Recompute)
        {
            text.Append("recompute: true\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"epochs: {plan.Epochs}\n");
        if (plan.Metrics.Count > 0)
        {
            string[] metrics = [.. plan.Metrics.Select(metric => Component(metric, metric.Kind, MetricCatalog.ByKind))];
            text.Append(CultureInfo.InvariantCulture, $"metrics: [{string.Join(", ", metrics)}]\n");
        }
        if (plan.Pretraining is { } pretraining)
        {
            text.Append("pretraining: ").Append(Component(pretraining, pretraining.Kind, PretrainingCatalog.ByKind)).Append('\n');
        }
        if (plan.OnFinding != FindingAction.Report)
        {
            text.Append(CultureInfo.InvariantCulture, $"on_finding: {RecordSchema.SnakeCase(plan.OnFinding.ToString())}\n");
        }
        if (plan.Precision != Precision.Fp32)
        {
            text.Append(CultureInfo.InvariantCulture, $"precision: {RecordSchema.SnakeCase(plan.Precision.ToString())}\n");
        }
    }

    private static string Component<T>(T record, string kind, IReadOnlyDictionary<string, T> catalog) where T : class =>
        catalog.TryGetValue(kind, out T? defaults) && defaults.GetType() == record.GetType()
            ? YamlWords.Inline(kind, record, defaults)
            : throw new ModelFormatException($"{kind} has no name in model files");

    /// <summary>An optimizer always says its learning rate: what a reader looks for, and what a cure often changes.</summary>
    private static string Rated(Optimizer optimizer) => OptimizerCatalog.ByKind.TryGetValue(optimizer.Kind, out Optimizer? defaults) && defaults.GetType() == optimizer.GetType()
        ? YamlWords.Inline(optimizer.Kind, optimizer, defaults with { LearningRate = double.NaN })
        : Component(optimizer, optimizer.Kind, OptimizerCatalog.ByKind);

    private static string Inputs(Graph graph)
    {
        Node[] inputs = [.. graph.Inputs];
        if (inputs is [{ Name: Network.InputName, Op: Input { Type.Kind: ElementKind.Real } }])
        {
            return Shape(inputs[0]);
        }
        string[] all = [.. inputs.Select(Mapping)];
        return all.Length == 1 ? all[0] : $"[{string.Join(", ", all)}]";
    }

    private static string Mapping(Node input)
    {
        List<(string, string)> keys = [("shape", Shape(input)), ("name", YamlWords.Text(input.Name))];
        if (input.Outputs[0].Kind != ElementKind.Real)
        {
            keys.Add(("kind", RecordSchema.SnakeCase(input.Outputs[0].Kind.ToString())));
        }
        return YamlWords.Flow(keys);
    }

    private static string Shape(Node input)
    {
        Dim[] dims = [.. input.Outputs[0].Shape.Dims];
        if (dims.Length == 0 || dims[0] != Dim.Batch || dims.Skip(1).Any(dim => dim.PerSample))
        {
            throw new ModelFormatException($"{input.Name} (input): the shape {input.Outputs[0].Shape} has no form in model files; the batch comes first");
        }
        string[] sizes = [.. dims.Skip(1).Select(dim => dim.ToString())];
        return sizes.Length == 1 ? sizes[0] : $"[{string.Join(", ", sizes)}]";
    }

    private static string Data(DataReference data)
    {
        if (data is { Validation: null, Label: null, Standardize: false })
        {
            return YamlWords.Text(data.Source);
        }
        List<(string, string)> keys = [("source", YamlWords.Text(data.Source))];
        if (data.Validation is { } validation)
        {
            bool isNumber = double.TryParse(validation, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _);
            keys.Add(("validation", isNumber ? validation : YamlWords.Text(validation)));
        }
        if (data.Label is { } label)
        {
            keys.Add(("label", YamlWords.Text(label)));
        }
        if (data.Standardize)
        {
            keys.Add(("standardize", "true"));
        }
        return YamlWords.Flow(keys);
    }
}
