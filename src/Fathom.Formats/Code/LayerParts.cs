using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Code;

/// <summary>A parameter of a layer, and the slot that it fills.</summary>
internal sealed record LayerPart(ParameterSlot Slot, Node Node)
{
    public Parameter Parameter => (Parameter)Node.Op;

    public bool IsFrozen => Slot.Trainable && !Parameter.Trainable;

    /// <summary>Whether it bears another name than the layer would give it, as one that is shared.</summary>
    public bool IsForeign(Node layer) => Node.Name != layer.Op.ParameterName(layer.Name, Slot.Name);
}

/// <summary>The parameters of a layer by slot.</summary>
internal static class LayerParts
{
    /// <summary>Null for a node that reads parameters which are not its own, as operands.</summary>
    public static IReadOnlyList<LayerPart>? Of(Node node)
    {
        TensorType[] types = [.. node.DataInputs.Select(value => value.Type)];
        ParameterSlot[] slots = types.Length == 0 ? [] : [.. node.Op.Slots(types)];
        Node[] parameters = [.. node.Parameters];
        bool fits = slots.Length == parameters.Length && slots.Zip(parameters).All(pair => Fits(pair.First, (Parameter)pair.Second.Op))
            && node.Inputs.Take(types.Length).All(input => input.Node.Op is not Parameter);
        return fits ? [.. slots.Zip(parameters, (slot, parameter) => new LayerPart(slot, parameter))] : null;
    }

    private static bool Fits(ParameterSlot slot, Parameter parameter) =>
        slot.Shape.Equals(parameter.Shape) && slot.Blocks == parameter.Blocks && (slot.Trainable || !parameter.Trainable);
}
