using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>
/// A model as a PyTorch module and its training loop. Modules have the layers' names, so that the state_dict has the
/// parameters' names, as far as they are identifiers.
/// </summary>
internal sealed class PyTorchCode(ModelDefinition model, CodeLines lines)
{
    private readonly Graph graph = model.Graph;
    private readonly CodeNames names = new(CodeNames.Python, []);
    private readonly Dictionary<Node, string> owners = new(ReferenceEqualityComparer.Instance);
    private readonly List<(Node Node, TorchLayer? Layer)> layers = [];

    public void Write()
    {
        foreach (Node input in graph.Inputs)
        {
            names.Of(input);
        }
        foreach (Node node in graph.Nodes.Where(node => node.Op is not (Input or Parameter)))
        {
            layers.Add((node, Readable(node) ? PyTorchLayers.Of(node, $"self.{names.Of(node)}", [.. node.DataInputs.Select(names.Of)]) : null));
        }
        lines.Import("import math", "math.");
        foreach (string import in (string[])["import torch", "import torch.nn.functional as F", "from torch import nn"])
        {
            lines.Add(import);
        }
        foreach ((string type, string slot, string operation) in (ReadOnlySpan<(string, string, string)>)[("Scale", "weight", "*"), ("Shift", "bias", "+")])
        {
            if (layers.Any(layer => layer.Node.Op.GetType().Name == type))
            {
                Learnt(type, slot, operation);
            }
        }
        Class();
        new PyTorchPlan(model.Plan, graph, lines).Write();
    }

    /// <summary>Whether all that others read of a node is there in PyTorch.</summary>
    private bool Readable(Node node) => node.Op is RecurrentLayer or Input
        ? graph.Nodes.SelectMany(reader => reader.Inputs).Concat(graph.Outputs).All(value => value.Node != node || value.Index <= ((node.Op as RecurrentLayer)?.States ?? 0))
        : graph.Nodes.SelectMany(reader => reader.Inputs).Concat(graph.Outputs).All(value => value.Node != node || value.Index == 0);

    private void Learnt(string type, string slot, string operation)
    {
        Block($"class {type}(nn.Module):", () =>
        {
            Block("def __init__(self, initial, shape=(1,)):", () =>
            {
                lines.Add("super().__init__()");
                lines.Add("self.shape = shape");
                lines.Add($"self.{slot} = nn.Parameter(torch.full((math.prod(shape),), initial))");
            }, blank: 0);
            Block("def forward(self, x):", () => lines.Add($"return x {operation} self.{slot}.view(self.shape)"), blank: 1);
        }, blank: 2);
    }

    private void Class() => Block("class Model(nn.Module):", () =>
    {
        Block("def __init__(self):", () =>
        {
            lines.Add("super().__init__()");
            foreach ((Node node, TorchLayer? layer) in layers)
            {
                if (layer is { Module: { } module })
                {
                    lines.Add($"self.{names.Of(node)} = {module}");
                }
            }
            lines.Add("self.initialize()");
        }, blank: 0);
        lines.Add();
        lines.Add("@torch.no_grad()");
        Block("def initialize(self):", () =>
        {
            lines.Add("\"\"\"Weights as they are before step 1.\"\"\"");
            foreach ((Node node, TorchLayer? layer) in layers)
            {
                if (layer is { Module: not null })
                {
                    Parameters(node);
                }
            }
        }, blank: 0);
        Block($"def forward(self, {string.Join(", ", graph.Inputs.Select(names.Of))}):", Forward, blank: 1);
    }, blank: 2);

    private void Parameters(Node node)
    {
        if (LayerParts.Of(node) is not { } parts)
        {
            return; // said in forward
        }
        foreach (LayerPart part in parts)
        {
            string slot = node.Op.ParameterName("", part.Slot.Name)[1..];
            string path = $"self.{names.Of(node)}.{(node.Op is RecurrentLayer ? slot.Replace("_reverse", "", StringComparison.Ordinal) : slot)}";
            if (owners.TryGetValue(part.Node, out string? owner))
            {
                lines.Add($"{path} = {owner}");
                continue;
            }
            owners[part.Node] = path;
            if (PyTorchInitializers.Of(node, part, path) is not { } written)
            {
                lines.Unsaid(node, $"PyTorch has no initializer {part.Parameter.Initializer.Kind} for {part.Slot.Name}");
            }
            else
            {
                foreach (string line in written)
                {
                    lines.Add(line);
                }
            }
            if (part.IsFrozen)
            {
                lines.Add($"{path}.requires_grad_(False)");
            }
        }
        if (node.Op is RecurrentLayer { Bias: true, RecurrentBias: false })
        {
            lines.Add($"self.{names.Of(node)}.bias_hh_l0.zero_().requires_grad_(False)  # one bias");
        }
    }

    private void Forward()
    {
        foreach ((Node node, TorchLayer? layer) in layers)
        {
            if (layer is null || (layer.Module is not null && LayerParts.Of(node) is null))
            {
                lines.Unsaid(node, layer is null ? "PyTorch has no layer for it with these settings" : "parameters that are operands");
                lines.Add($"raise NotImplementedError({Text($"{node.Name} ({node.Op.Kind})")})");
                continue;
            }
            foreach (string unsaid in layer.Unsaid)
            {
                lines.Unsaid(node, unsaid);
            }
            string name = names.Of(node);
            if (node.Op is not RecurrentLayer recurrent)
            {
                lines.Add($"{name} = {layer.Call}");
                continue;
            }
            lines.Add($"{name}, state = {layer.Call}");
            if (recurrent.Reverse)
            {
                lines.Add($"{name} = {name}.flip(1)");
            }
            for (int state = 1; state <= recurrent.States; state++)
            {
                Value value = new(node, state);
                if (graph.Nodes.SelectMany(reader => reader.Inputs).Concat(graph.Outputs).Contains(value))
                {
                    lines.Add($"{names.Of(value)} = state{(recurrent.States > 1 ? $"[{Number(state - 1)}]" : "")}[0]");
                }
            }
        }
        lines.Add($"return {string.Join(", ", graph.Outputs.Select(names.Of))}");
    }

    private void Block(string head, Action body, int blank)
    {
        for (int i = 0; i < blank; i++)
        {
            lines.Add();
        }
        lines.Add(head);
        lines.Indent++;
        body();
        lines.Indent--;
    }
}
