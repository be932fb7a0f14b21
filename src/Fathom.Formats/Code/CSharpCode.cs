using System.Globalization;
using System.Reflection;
using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Code;

/// <summary>A model in Fathom's own builder: a chain of layers in fluent form, any other network value by value.</summary>
internal static class CSharpCode
{
    private static readonly string[] Locals = ["builder", "graph", "plan"];

    public static void Write(ModelDefinition model, CodeLines lines)
    {
        CSharpWords words = new();
        string[] graph = [.. IsChain(model.Graph) ? Chain(model.Graph, words) : Values(model.Graph, words)];
        string[] plan = [.. Plan(model.Plan, words)];
        string data = model.Data is { } reference ? ", " + words.Literal(reference) : "";
        foreach (string space in words.Namespaces)
        {
            lines.Add($"using {space};");
        }
        lines.Add();
        lines.Add($"public static class {TypeName(model.Name)}");
        lines.Add("{");
        lines.Indent++;
        lines.Add("public static ModelDefinition Create()");
        lines.Add("{");
        lines.Indent++;
        foreach (string line in (string[])[.. graph, .. plan])
        {
            lines.Add(line);
        }
        lines.Add($"return new ModelDefinition({CSharpWords.Text(model.Name)}, graph, plan{data});");
        lines.Indent--;
        lines.Add("}");
        lines.Indent--;
        lines.Add("}");
    }

    /// <summary>One layer after the other, each with parameters of its own under its own names.</summary>
    private static bool IsChain(Graph graph)
    {
        if (graph.Inputs.ToArray() is not [{ Name: Network.InputName } input] || graph.Outputs.Length != 1 || !CSharpWords.IsSamples(input))
        {
            return false;
        }
        Value last = input.Output;
        foreach (Node node in graph.Nodes.Where(node => node.Op is not (Input or Parameter)))
        {
            if (node.DataInputs.ToArray() is not [var only] || only != last
                || LayerParts.Of(node) is not { } own || own.Any(part => part.IsFrozen || part.IsForeign(node)))
            {
                return false;
            }
            last = node.Output;
        }
        return graph.Output == last && last != input.Output;
    }

    private static IEnumerable<string> Chain(Graph graph, CSharpWords words)
    {
        Node input = graph.Inputs.Single();
        yield return $"Graph graph = Network.{(input.Outputs[0].Kind == ElementKind.Real ? "Input" : "Indices")}({CSharpWords.Features(input)})";
        Node[] layers = [.. graph.Nodes.Where(node => node.Op is not (Input or Parameter))];
        bool isAutomatic = layers.GroupBy(layer => layer.Op.Kind).All(group => group.Select((layer, i) => layer.Name == string.Create(CultureInfo.InvariantCulture, $"{group.Key}_{i + 1}")).All(same => same));
        foreach (Node layer in layers)
        {
            string initializers = Initializers(layer, words);
            string name = isAutomatic ? "" : ", " + CSharpWords.Text(layer.Name);
            yield return $"    .Then({words.Literal(layer.Op)}{name}{(initializers.Length == 0 ? "" : $", initializers: {initializers}")})";
        }
        yield return "    .Build();";
    }

    private static IEnumerable<string> Values(Graph graph, CSharpWords words)
    {
        CodeNames names = new(CodeNames.CSharp, Locals);
        HashSet<Node> owned = [.. graph.Nodes.Where(node => node.Op is not Source && LayerParts.Of(node) is not null).SelectMany(node => node.Parameters)];
        HashSet<Node> written = [];
        yield return "GraphBuilder builder = new();";
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is Input)
            {
                yield return $"Value {names.Of(node)} = builder.Input({CSharpWords.Text(node.Name)}, {words.Literal(node.Outputs[0])});";
            }
            else if (node.Op is Parameter && owned.Contains(node))
            {
                continue; // its layer makes it
            }
            else if (LayerParts.Of(node) is { } parts && node.Op is not Source)
            {
                yield return $"Value {names.Of(node)} = builder.Layer({Arguments(node, parts, names, words, written)});";
                written.UnionWith(node.Parameters);
            }
            else
            {
                yield return $"Value {names.Of(node)} = builder.Add({CSharpWords.Text(node.Name)}, {words.Literal(node.Op)}, [{string.Join(", ", node.Inputs.Select(names.CSharpValue))}]);";
            }
        }
        yield return $"Graph graph = builder.Build({string.Join(", ", graph.Outputs.Select(names.CSharpValue))});";
    }

    private static string Arguments(Node node, IReadOnlyList<LayerPart> parts, CodeNames names, CSharpWords words, HashSet<Node> written)
    {
        string initializers = Initializers(node, words, written);
        string[] foreign = [.. parts.Where(part => part.IsForeign(node)).Select(part => $"[{CSharpWords.Text(part.Slot.Name)}] = {CSharpWords.Text(part.Node.Name)}")];
        string[] frozen = [.. parts.Where(part => part.IsFrozen).Select(part => CSharpWords.Text(part.Slot.Name))];
        return $"{words.Literal(node.Op)}, {CSharpWords.Text(node.Name)}, [{string.Join(", ", node.DataInputs.Select(names.CSharpValue))}]"
            + (initializers.Length == 0 ? "" : ", " + initializers)
            + (foreign.Length == 0 ? "" : $", parameters: {words.Dictionary("string", foreign)}")
            + (frozen.Length == 0 ? "" : $", frozen: slot => slot is {string.Join(" or ", frozen)}");
    }

    private static string Initializers(Node node, CSharpWords words, HashSet<Node>? written = null)
    {
        string[] own = [.. LayerParts.Of(node)!.Where(part => written?.Contains(part.Node) != true && !part.Parameter.Initializer.Equals(part.Slot.Initializer))
            .Select(part => $"[{CSharpWords.Text(part.Slot.Name)}] = {words.Literal(part.Parameter.Initializer)}")];
        return own.Length == 0 ? "" : words.Dictionary("Initializer", own);
    }

    /// <summary>Every setting that is not the default.</summary>
    private static IEnumerable<string> Plan(TrainingPlan plan, CSharpWords words)
    {
        TrainingPlan defaults = new() { Loss = plan.Loss, Optimizer = plan.Optimizer };
        string[] always = [nameof(plan.Loss), nameof(plan.Optimizer), nameof(plan.BatchSize), nameof(plan.Epochs), nameof(plan.Seed)];
        words.Use(typeof(TrainingPlan));
        yield return "TrainingPlan plan = new()";
        yield return "{";
        foreach (PropertyInfo property in typeof(TrainingPlan).GetProperties().Where(property => property.CanWrite))
        {
            object? value = property.GetValue(plan);
            if (always.Contains(property.Name) || !Equals(value, property.GetValue(defaults)))
            {
                string literal = value switch
                {
                    TrainingPlan.FullBatch => "TrainingPlan.FullBatch",
                    ConstantSchedule => "ConstantSchedule.Instance",
                    _ => words.Literal(value),
                };
                yield return $"    {property.Name} = {literal},";
            }
        }
        yield return "};";
    }

    /// <summary>deep-sigmoid → DeepSigmoid.</summary>
    private static string TypeName(string name)
    {
        StringBuilder text = new();
        bool starts = true;
        foreach (char letter in name)
        {
            bool isPart = char.IsAsciiLetterOrDigit(letter);
            if (isPart)
            {
                text.Append(starts ? char.ToUpperInvariant(letter) : letter);
            }
            starts = !isPart;
        }
        string type = (text.Length == 0 || char.IsAsciiDigit(text[0]) ? "Model" : "") + text;
        // Within a class Dense the layer could not be named.
        bool isTaken = typeof(Node).Assembly.GetExportedTypes().Concat(typeof(TrainingPlan).Assembly.GetExportedTypes()).Any(known => known.Name == type) || type is "Fathom" or "System" or "Create";
        return isTaken ? type + "Model" : type;
    }
}
