using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Regularization;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>A model as a functional Keras 3 model, compiled.</summary>
internal sealed class KerasCode(ModelDefinition model, CodeLines lines)
{
    private readonly Graph graph = model.Graph;
    private readonly CodeNames names = new(CodeNames.Python, ["x", "y"]);
    private readonly HashSet<Node> read = new(ReferenceEqualityComparer.Instance);

    public void Write()
    {
        lines.Import("import math", "math.");
        lines.Add("import keras");
        lines.Add("from keras import layers");
        lines.Add();
        if (graph.Nodes.Any(node => node.Op is Scale or Shift))
        {
            Learnt();
        }
        foreach (Node input in graph.Inputs)
        {
            string kind = input.Outputs[0].Kind == ElementKind.Index ? ", dtype=\"int32\"" : "";
            lines.Add($"{names.Of(input)} = keras.Input({Tuple(Features(input.Outputs[0].Shape))}{kind}, name={Text(input.Name)})");
        }
        foreach (Node node in graph.Nodes.Where(node => node.Op is not (Input or Parameter)))
        {
            Layer(node);
        }
        string outputs = string.Join(", ", graph.Outputs.Select(names.Of)), inputs = string.Join(", ", graph.Inputs.Select(names.Of));
        lines.Add($"model = keras.Model({(graph.Inputs.Count() > 1 ? $"[{inputs}]" : inputs)}, {(graph.Outputs.Length > 1 ? $"[{outputs}]" : outputs)}, name={Text(KerasName(model.Name))})");
        new KerasPlan(model.Plan, lines).Write();
    }

    private void Learnt()
    {
        lines.Add();
        lines.Add("class Learnt(layers.Layer):");
        lines.Indent++;
        lines.Add("\"\"\"x times a learnt number, or x plus one.\"\"\"");
        lines.Add();
        foreach ((string head, string[] body) in (ReadOnlySpan<(string, string[])>)[
            ("def __init__(self, initial, adds=False, shape=(1,), **kwargs):", ["super().__init__(**kwargs)", "self.adds = adds", "self.number = self.add_weight(shape=shape, initializer=keras.initializers.Constant(initial))"]),
            ("def call(self, x):", ["return x + self.number if self.adds else x * self.number"])])
        {
            lines.Add(head);
            lines.Indent++;
            foreach (string line in body)
            {
                lines.Add(line);
            }
            lines.Indent--;
            lines.Add();
        }
        lines.Indent--;
        lines.Add();
    }

    private void Layer(Node node)
    {
        string[] x = [.. node.DataInputs.Select(names.Of)];
        Value[] others = [.. graph.Nodes.SelectMany(reader => reader.Inputs).Concat(graph.Outputs).Where(value => value.Node == node && value.Index > 0).Distinct()];
        bool isShared = LayerParts.Of(node) is { } own && own.Any(part => !read.Add(part.Node));
        KerasCall? call = LayerParts.Of(node) is null || isShared || others.Any(value => node.Op is not RecurrentLayer layer || value.Index > layer.States) ? null : KerasCalls.Of(node, x);
        if (call is null)
        {
            lines.Unsaid(node, isShared ? "parameters that two layers share" : "Keras has no layer for it with these settings");
            lines.Add($"raise NotImplementedError({Text($"{node.Name} ({node.Op.Kind})")})");
            return;
        }
        foreach (string unsaid in call.Unsaid)
        {
            lines.Unsaid(node, unsaid);
        }
        string settings = Join([.. call.Settings, .. KerasInitializers(node), call.Layer is null ? null : $"name={Text(KerasName(node.Name))}"]);
        string expression = call.Layer is null ? call.Input : $"{call.Layer}({settings})({call.Input})";
        string name = names.Of(node);
        if (node.Op is RecurrentLayer recurrent)
        {
            string[] states = [.. Enumerable.Range(1, recurrent.States).Select(index => names.Of(new Value(node, index)))];
            lines.Add($"{string.Join(", ", (string[])[name, .. states])} = {expression}");
            if (recurrent.Reverse)
            {
                lines.Add($"{name} = keras.ops.flip({name}, axis=1)");
            }
            return;
        }
        lines.Add($"{name} = {expression}");
    }

    private IEnumerable<string?> KerasInitializers(Node node)
    {
        foreach (LayerPart part in LayerParts.Of(node)!.Where(part => part.Slot.Trainable))
        {
            string slot = part.Slot.Name;
            if (KerasCalls.Setting(node.Op, slot) is { } key)
            {
                if (KerasCalls.Initializer(node, part) is not { } written)
                {
                    lines.Unsaid(node, $"Keras has no initializer {part.Parameter.Initializer.Kind} for {slot}");
                }
                else if (written.Length > 0)
                {
                    yield return $"{key}_initializer={written}";
                    if (part.Parameter.Initializer is Graphs.Initializers.ForgetGateBias or Graphs.Initializers.ConstantInitializer && node.Op is Lstm && slot == "bias_ih")
                    {
                        yield return $"unit_forget_bias={Flag(part.Parameter.Initializer is Graphs.Initializers.ForgetGateBias)}";
                    }
                }
                if (Penalty(part) is { } penalty)
                {
                    yield return $"{key}_regularizer={penalty}";
                }
            }
            else if (!part.Parameter.Initializer.Equals(part.Slot.Initializer))
            {
                lines.Unsaid(node, $"the initializer {part.Parameter.Initializer.Kind} of {slot}");
            }
        }
        if (LayerParts.Of(node)!.Where(part => part.Slot.Trainable).ToArray() is { Length: > 0 } trainable && trainable.Any(part => part.IsFrozen))
        {
            if (trainable.All(part => part.IsFrozen))
            {
                yield return "trainable=False";
            }
            else
            {
                lines.Unsaid(node, $"only {string.Join(", ", trainable.Where(part => part.IsFrozen).Select(part => part.Slot.Name))} is frozen");
            }
        }
    }

    private string? Penalty(LayerPart part)
    {
        double l1 = 0, l2 = 0;
        foreach (Regularizer rule in model.Plan.Regularization.Where(rule => rule.Layers.IsDefaultOrEmpty && (rule.Vectors || part.Parameter.Shape.Rank > 1)))
        {
            l1 += rule is L1 first ? first.Strength : 0;
            l2 += rule is L2 second ? second.Strength : 0;
        }
        return (l1, l2) switch
        {
            (0, 0) => null,
            (_, 0) => $"keras.regularizers.L1({Number(l1)})",
            (0, _) => $"keras.regularizers.L2({Number(l2)})",
            _ => $"keras.regularizers.L1L2({Number(l1)}, {Number(l2)})",
        };
    }

    /// <summary>Keras keeps / for its own.</summary>
    private static string KerasName(string name) => name.Replace('/', '_');
}
