using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>A hidden layer of a single unit, with nothing around it: all that the network may know of a sample behind it is one number.</summary>
public sealed class NarrowLayer : AuditRule
{
    internal const string RuleId = "FTH028";

    public override string Id => RuleId;

    public override string Problem => "a hidden layer of one unit";

    public override string Threshold => "a hidden dense layer or convolution gives one number for a sample, no path leads around it, and the network has more than one input (Lu et al. 2017: a ReLU network no wider than its inputs cannot approximate every function)";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        Graph graph = scope.Model.Graph;
        Node[] layers = [.. TrainingMonitor.WeightLayers(graph)];
        if (layers.Length < 2 || graph.Inputs.Sum(input => input.Output.Shape.ElementsPerSample) < 2)
        {
            return null;
        }
        Node[] narrow = [.. layers[..^1].Where(layer => HiddenLayers.IsWeighted(layer) && layer.Output.Shape.ElementsPerSample == 1 && !Detour.LeadsAround(graph, layer))];
        return narrow.Length == 0 ? null : Found(Severity.Warning,
            $"{narrow[0].Name} has 1 unit{(narrow.Length == 1 ? "" : $", as {Count(narrow.Length - 1, "other layer has", "other layers have")}")}: all that the layers behind it learn of a sample is one number, where more than the {graph.Inputs.Sum(input => input.Output.Shape.ElementsPerSample)} inputs are safe (Lu et al. 2017).",
            $"Give {narrow[0].Name} more units.", [("units", 1, 2), ("narrow_layers", narrow.Length, 0)], [.. narrow.Select(layer => layer.Name)], [], 0.9,
            "Layers behind it can bend that number, and no more; a ReLU of one unit is 0 for about half of the samples, and all of these then look the same.");
    }
}
