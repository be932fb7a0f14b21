using System.Globalization;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>Reads Fathom's own model file (YAML); docs/model-file.md describes it.</summary>
public sealed class ModelFileReader
{
    /// <summary>The version of the format that this reader knows.</summary>
    public const int Version = 1;

    /// <summary>What stands for all training data as the batch.</summary>
    internal const string FullBatch = "full";

    private static readonly string[] Keys =
        ["fathom", "name", "data", "seed", "input", "layers", "output", "initialization", "loss", "class_weights", "optimizer", "schedule", "clip", "regularization", "batch", "accumulate", "recompute", "epochs", "metrics", "pretraining", "on_finding", "precision"];

    private readonly string file;
    private readonly YamlText source;
    private readonly ComponentReader components;
    private readonly YamlMapping root;

    private ModelFileReader(string file, string text)
    {
        this.file = file;
        source = YamlText.Parse(file, text);
        components = new ComponentReader(source);
        root = new YamlMapping(source, source.Root, null);
    }

    /// <summary>Reads a model.</summary>
    /// <param name="file">Name of the file, for messages and as the name of a model without one.</param>
    /// <param name="text">Its content.</param>
    /// <exception cref="ModelFormatException">The first thing that is wrong, with line, column and key.</exception>
    public static ModelDefinition Read(string file, string text) => new ModelFileReader(file, text).Read();

    private ModelDefinition Read()
    {
        CheckVersion();
        root.Allow("key", Keys);
        IReadOnlyList<InputSpec> inputs = new InputReader(source).Read(root.Require("input", InputReader.Allowed));
        IReadOnlyList<LayerSpec> layers = new LayerListReader(source, components).Read(root.Require("layers", "a list of at least one layer"));
        Graph graph = Assemble(inputs, layers);
        Component<InitializationRule>? start = root.Find("initialization") is { } rule ? components.Read("initialization", rule, InitializationCatalog.ByKind) : null;
        graph = Start(graph, start);
        string name = root.Find("name") is { } node ? YamlValue.Text(source, "name", node) : Path.GetFileNameWithoutExtension(file);
        return new ModelDefinition(name, graph, ReadPlan(graph) with { Initialization = start?.Value as Lsuv, Pretraining = ReadPretraining(graph, start) }, ReadData());
    }

    private void CheckVersion()
    {
        const string allowed = "1";
        YamlNode node = root.Require("fathom", allowed);
        if (YamlValue.Whole(source, "fathom", node, 1) is > Version and int version)
        {
            throw source.KeyError(node, "fathom", $"this is version {version} of the format, which is newer than this program", allowed);
        }
    }

    private Graph Assemble(IReadOnlyList<InputSpec> inputs, IReadOnlyList<LayerSpec> layers)
    {
        if (root.Find("output") is not { } node)
        {
            return GraphAssembler.Assemble(inputs, layers);
        }
        YamlNode[] nodes = node is YamlSequenceNode { Children.Count: > 0 } list ? [.. list.Children] : [node];
        return GraphAssembler.Assemble(inputs, layers, [.. nodes.Select(output => YamlValue.Text(source, "output", output))],
            (index, problem) => source.KeyError(nodes[index], "output", problem));
    }

    /// <summary>Most rules are done once the network is rewritten; what is left for the data is in the plan.</summary>
    private Graph Start(Graph graph, Component<InitializationRule>? rule)
    {
        try
        {
            return rule?.Value.Apply(graph) ?? graph;
        }
        catch (GraphException error)
        {
            throw components.Located(rule!, error.Message);
        }
    }

    private PretrainingRule? ReadPretraining(Graph graph, Component<InitializationRule>? start)
    {
        if (root.Find("pretraining") is not { } node)
        {
            return null;
        }
        Component<PretrainingRule> rule = components.Read("pretraining", node, PretrainingCatalog.ByKind);
        Check(rule, rule.Value.Validate);
        Check(rule, () => rule.Value.RequireChain(graph));
        return start?.Value is Lsuv
            ? throw source.KeyError(node, "pretraining", "the file has 'initialization: lsuv' too, and both decide the weights before step 1", "one of the two")
            : rule.Value;
    }

    private TrainingPlan ReadPlan(Graph graph)
    {
        Component<Loss> loss = components.Read("loss", root.Require("loss", Spelling.List(LossCatalog.ByKind.Keys)), LossCatalog.ByKind);
        Check(loss, loss.Value.Validate);
        CheckLoss(graph, loss);
        Component<Optimizer> optimizer = components.Read("optimizer", root.Require("optimizer", Spelling.List(OptimizerCatalog.ByKind.Keys)), OptimizerCatalog.ByKind);
        Check(optimizer, optimizer.Value.Validate);
        Component<Schedule>? schedule = root.Find("schedule") is { } scheduleNode ? components.Read("schedule", scheduleNode, ScheduleCatalog.ByKind) : null;
        Component<GradientClipping>? clipping = root.Find("clip") is { } clipNode ? components.Read("clip", clipNode, ClippingCatalog.ByKind) : null;
        if (schedule is not null)
        {
            Check(schedule, schedule.Value.Validate);
        }
        if (clipping is not null)
        {
            Check(clipping, clipping.Value.Validate);
        }
        TrainingPlan plan = new() { Loss = loss.Value, Optimizer = optimizer.Value, Clipping = clipping?.Value };
        return plan with
        {
            Schedule = schedule?.Value ?? plan.Schedule,
            ClassWeights = ReadClassWeights(graph, loss.Value),
            Regularization = ReadRegularization(graph),
            Metrics = ReadMetrics(),
            BatchSize = ReadBatch(plan.BatchSize),
            Accumulate = ReadAccumulate(plan.BatchSize),
            Recompute = root.Find("recompute") is { } recompute && (bool)YamlValue.Read(source, "recompute", recompute, typeof(bool))!,
            Epochs = Count("epochs", plan.Epochs),
            OnFinding = root.Find("on_finding") is { } action ? (FindingAction)YamlValue.Read(source, "on_finding", action, typeof(FindingAction))! : plan.OnFinding,
            Precision = root.Find("precision") is { } precision ? (Precision)YamlValue.Read(source, "precision", precision, typeof(Precision))! : plan.Precision,
            Seed = root.Find("seed") is { } seed ? (ulong)YamlValue.Read(source, "seed", seed, typeof(ulong))! : plan.Seed,
        };
    }

    /// <summary>One metric, or a list of them; <c>top_3</c> is short for <c>{top_k: 3}</c>.</summary>
    private ValueList<Metric> ReadMetrics()
    {
        if (root.Find("metrics") is not { } node)
        {
            return [];
        }
        IEnumerable<YamlNode> nodes = node is YamlSequenceNode list ? list.Children : [node];
        HashSet<string> names = [];
        return [.. nodes.Select(entry =>
        {
            Metric read = ReadMetric(entry);
            return names.Add(read.Name) ? read : throw source.KeyError(entry, "metrics", $"{read.Name} is there twice", "each metric once");
        })];

        Metric ReadMetric(YamlNode entry)
        {
            if (entry is YamlScalarNode { Value: { } name } && MetricCatalog.ByShortName(name) is { } metric)
            {
                Check(new Component<Metric>(name, metric, entry, new Dictionary<string, YamlNode>()), metric.Validate);
                return metric;
            }
            Component<Metric> component = components.Read("metric", entry, MetricCatalog.ByKind);
            Check(component, component.Value.Validate);
            return component.Value;
        }
    }

    /// <summary><c>balanced</c>, or a list with a number for each class.</summary>
    private ClassWeights? ReadClassWeights(Graph graph, Loss loss)
    {
        const string key = "class_weights";
        if (root.Find(key) is not { } node)
        {
            return null;
        }
        ClassWeights weights = node is YamlSequenceNode
            ? new ClassWeights([.. (double[])YamlValue.Read(source, key, node, typeof(double[]))!])
            : node is YamlScalarNode { Value: ClassWeights.BalancedName } ? ClassWeights.Balanced
            : throw source.KeyError(node, key, $"{YamlValue.Describe(node)} is neither a list nor a known word", $"{ClassWeights.BalancedName}, or a list with a number for each class");
        if (node is YamlSequenceNode { Children.Count: 0 })
        {
            throw source.KeyError(node, key, "there is no number in the list", $"{ClassWeights.BalancedName}, or a list with a number for each class");
        }
        try
        {
            LossCheck.Attach(graph, loss, weights);
        }
        catch (Exception error) when (error is GraphException or TrainingException)
        {
            throw source.KeyError(node, key, error.Message);
        }
        return weights;
    }

    /// <summary>A number of samples, or <c>full</c> for all training data.</summary>
    private int ReadBatch(int fallback)
    {
        if (root.Find("batch") is not { } node)
        {
            return fallback;
        }
        if (node is YamlScalarNode { Value: FullBatch })
        {
            return TrainingPlan.FullBatch;
        }
        return node is YamlScalarNode scalar && int.TryParse(scalar.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
            ? YamlValue.Whole(source, "batch", node, 1)
            : throw source.KeyError(node, "batch", $"{YamlValue.Describe(node)} is not a whole number", $"a whole number of 1 or more, {FullBatch}");
    }

    private int ReadAccumulate(int fallbackBatch)
    {
        int parts = Count("accumulate", 1);
        int batch = ReadBatch(fallbackBatch);
        return parts <= batch ? parts : throw source.KeyError(root.Find("accumulate")!, "accumulate",
            string.Create(CultureInfo.InvariantCulture, $"{parts} is out of range"), string.Create(CultureInfo.InvariantCulture, $"1 to the batch, which is {batch}"));
    }

    /// <summary>One regularizer, or a list of them.</summary>
    private ValueList<Regularizer> ReadRegularization(Graph graph)
    {
        if (root.Find("regularization") is not { } node)
        {
            return [];
        }
        IEnumerable<YamlNode> nodes = node is YamlSequenceNode list ? list.Children : [node];
        return [.. nodes.Select(entry =>
        {
            Component<Regularizer> regularizer = components.Read("regularization", entry, RegularizerCatalog.ByKind);
            Check(regularizer, () =>
            {
                regularizer.Value.Validate();
                regularizer.Value.ParametersOf(graph);
            });
            return regularizer.Value;
        })];
    }

    private int Count(string key, int fallback) => root.Find(key) is { } node ? YamlValue.Whole(source, key, node, 1) : fallback;

    private void Check<T>(Component<T> component, Action validate)
    {
        try
        {
            validate();
        }
        catch (TrainingException error)
        {
            throw components.Located(component, error.Message);
        }
    }

    /// <summary>Attaches the loss to find out whether it takes such an output.</summary>
    private void CheckLoss(Graph graph, Component<Loss> loss)
    {
        try
        {
            LossCheck.Attach(graph, loss.Value);
        }
        catch (Exception error) when (error is GraphException or TrainingException)
        {
            throw components.Located(loss, error.Message);
        }
    }

    private DataReference? ReadData()
    {
        if (root.Find("data") is not { } node)
        {
            return null;
        }
        if (node is YamlScalarNode)
        {
            return new DataReference(YamlValue.Text(source, "data", node));
        }
        YamlMapping mapping = new(source, node, "data");
        mapping.Allow("key of data", ["source", "validation", "label", "standardize"]);
        string origin = YamlValue.Text(source, "source", mapping.Require("source", "a data set, such as digits or csv:train.csv"));
        return new DataReference(origin, ReadValidation(mapping), mapping.Find("label") is { } label ? YamlValue.Text(source, "label", label) : null,
            mapping.Find("standardize") is { } standardize && (bool)YamlValue.Read(source, "standardize", standardize, typeof(bool))!);
    }

    private string? ReadValidation(YamlMapping mapping)
    {
        if (mapping.Find("validation") is not { } node)
        {
            return null;
        }
        string text = YamlValue.Text(source, "validation", node);
        bool isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double fraction);
        return !isNumber || fraction is > 0 and < 1 ? text
            : throw source.KeyError(node, "validation", $"{text} is out of range", "a fraction between 0 and 1, or a data set such as csv:validation.csv");
    }
}
