using Fathom.Formats;
using Fathom.Formats.Keras;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing.Keras;
using Fathom.Training;
using Fathom.Training.Clipping;

namespace Fathom.Docs.Tests.Reference;

/// <summary>What Keras calls a part: found by reading Keras models, one for each thing that the reader knows.</summary>
internal sealed class KerasNames
{
    /// <summary>Ops that many classes need beside their own.</summary>
    private static readonly string[] Fittings = ["concat", "reshape", "add", "multiply", "linear"];

    private readonly Dictionary<(string Catalog, string Kind), SortedSet<string>> names = [];

    public KerasNames()
    {
        foreach (KerasSample sample in KerasSample.Layers.Where(sample => sample.ClassName is not ("Identity" or "GaussianNoise" or "TimeDistributed" or "Activation")))
        {
            AddLayer(sample);
        }
        foreach (string activation in KerasActivations.Names.Where(name => name != "linear"))
        {
            Add("OpCatalog", Layer($"\"activation\": \"{activation}\"", "Activation").Graph.Output.Node.Op.Kind, $"Activation(\"{activation}\")");
        }
        foreach (string initializer in KerasInitializers.Supported)
        {
            Graph graph = Layer($"\"units\": 2, \"kernel_initializer\": \"{initializer}\"", "Dense").Graph;
            Add("InitializerCatalog", ((Parameter)graph[KerasSample.Name + ".weight"].Op).Initializer.Kind, initializer);
        }
        foreach (string loss in KerasLosses.Supported)
        {
            Add("LossCatalog", Plan($"\"optimizer\": \"adam\", \"loss\": \"{loss}\"").Loss.Kind, loss);
        }
        foreach (string optimizer in KerasOptimizers.Supported)
        {
            Add("OptimizerCatalog", Plan($"\"loss\": \"mse\", \"optimizer\": {{\"class_name\": \"{optimizer}\", \"config\": {{}}}}").Optimizer.Kind, optimizer);
        }
        AddSgdSettings();
    }

    public IReadOnlyCollection<string> Of(Part part, IEnumerable<string> aliases) =>
        [.. aliases.Prepend(part.Kind).SelectMany(kind => names.GetValueOrDefault((part.Catalog, kind)) ?? []).Distinct().Order(StringComparer.Ordinal)];

    private void AddLayer(KerasSample sample)
    {
        Graph graph = KerasReader.Read("sample.json", sample.Model()).Model.Graph;
        string[] kinds = [.. graph.Nodes.Where(node => node.Op is not Source).Select(node => node.Op.Kind)];
        string[] own = [.. kinds.Except(Fittings).Where(kind => sample.ClassName != "Dense" || kind == "dense")];
        foreach (string kind in own.Length > 0 ? own : kinds.Length == 1 ? kinds : [])
        {
            Add("OpCatalog", kind, sample.ClassName);
        }
    }

    /// <summary>What Keras makes a setting of the optimizer or of a layer.</summary>
    private void AddSgdSettings()
    {
        foreach (string rule in (ReadOnlySpan<string>)["clipnorm", "global_clipnorm", "clipvalue"])
        {
            GradientClipping clipping = Plan($"\"loss\": \"mse\", \"optimizer\": {{\"class_name\": \"SGD\", \"config\": {{\"{rule}\": 1.0}}}}").Clipping!;
            Add("ClippingCatalog", clipping.Kind, $"{rule}=");
        }
        foreach ((string schedule, string config) in KerasSample.Schedules)
        {
            TrainingPlan plan = Plan($"\"loss\": \"mse\", \"optimizer\": {{\"class_name\": \"SGD\", \"config\": {{\"learning_rate\": {{\"class_name\": \"{schedule}\", \"config\": {{{config}}}}}}}}}");
            Add("ScheduleCatalog", plan.Schedule.Kind, schedule);
        }
        foreach ((string key, string rule) in (ReadOnlySpan<(string, string)>)[("kernel_regularizer", "L1"), ("kernel_regularizer", "L2"), ("kernel_constraint", "MaxNorm")])
        {
            TrainingPlan plan = Layer($"\"units\": 2, \"{key}\": \"{rule}\"", "Dense").Plan;
            Add("RegularizerCatalog", plan.Regularization[0].Kind, $"{key}={rule}(…)");
        }
    }

    private void Add(string catalog, string kind, string name)
    {
        if (!names.TryGetValue((catalog, kind), out SortedSet<string>? known))
        {
            names[(catalog, kind)] = known = new SortedSet<string>(StringComparer.Ordinal);
        }
        known.Add(name);
    }

    private static (Graph Graph, TrainingPlan Plan) Layer(string config, string className)
    {
        ModelDefinition model = KerasReader.Read("sample.json", new KerasSample(className, config, "[null, 8]").Model()).Model;
        return (model.Graph, model.Plan);
    }

    private static TrainingPlan Plan(string compiled) =>
        KerasReader.Read("sample.json", new KerasSample("Dense", "\"units\": 3", "[null, 8]").Model($", \"compile_config\": {{{compiled}}}")).Model.Plan;
}
