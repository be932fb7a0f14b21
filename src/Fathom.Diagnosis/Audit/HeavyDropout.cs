using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Dropout that leaves next to nothing of a signal, or that drops the network's answers themselves; and added noise that drowns the inputs.</summary>
public sealed class HeavyDropout : AuditRule
{
    /// <summary>Rate above which hardly any layer keeps enough: Srivastava et al. 2014, section 7.3, find the error rising where less than 0.4 is kept; half of that is left to wide layers.</summary>
    internal const double Heavy = 0.8;

    /// <summary>Deviation of added noise over that of what it is added to: as much noise, measured by power, as dropout of 0.8 brings, √(p/(1 − p)).</summary>
    private const double Loud = 2;

    internal const string RuleId = "FTH024";

    public override string Id => RuleId;

    public override string Problem => "dropout too high";

    public override string Threshold => "a dropout rate of 0.8 or more (Srivastava et al. 2014, section 7.3: the error rises where less than 0.4 is kept), or dropout behind the last layer with weights; or Gaussian noise on the inputs of twice their deviation, which is as much";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        Graph graph = scope.Model.Graph;
        if (OnOutput(graph) is { } last)
        {
            double rate = ((DropoutOp)last.Op).Rate;
            return Found(Severity.Warning, $"{last.Name} drops {Percent(rate)} of the network's own answers in training: it stands behind the last layer with weights, where no dropout (limit 0) belongs (Srivastava et al. 2014).",
                $"Leave {last.Name} out, or move it before the last layer.", [("rate", rate, 0)], [last.Name], ["dropout"], 0.9, "The loss punishes answers that were set to 0 by chance, which no weights can mend.");
        }
        Node[] heavy = [.. graph.Nodes.Where(node => node.Op is DropoutOp { Rate: >= Heavy })];
        if (heavy.Length == 0)
        {
            return Noisy(scope, graph);
        }
        Node worst = heavy.MaxBy(node => ((DropoutOp)node.Op).Rate)!;
        double most = ((DropoutOp)worst.Op).Rate;
        long width = worst.Output.Shape.ElementsPerSample;
        return Found(Severity.Warning, $"{worst.Name} drops {Percent(most)} (limit {Percent(Heavy)}; Srivastava et al. 2014 keep 40 % or more) and leaves about {Number((1 - most) * width)} of {width} values per sample{(heavy.Length == 1 ? "" : $", and {Count(heavy.Length - 1, "other layer drops", "other layers drop")} as much")}.",
            "Lower the rate to 0.2 to 0.5.", [("rate", most, Heavy), ("values_kept", (1 - most) * width, double.NaN)], [.. heavy.Select(node => node.Name)], ["dropout"], 0.9,
            "What is left of the signal is multiplied by the inverse of its share: its noise grows with it, and drowns what the loss tells the weights.");
    }

    /// <summary>Noise that is added to the inputs themselves, larger than what they tell.</summary>
    private Finding? Noisy(AuditScope scope, Graph graph)
    {
        Node? noise = graph.Nodes.FirstOrDefault(node => node.Op is GaussianNoise { StandardDeviation: > 0 } && graph.Inputs.Any(input => node.DataInputs.Any(value => value == input.Output)));
        if (noise is null || scope.Features is not { } facts || scope.ReadsIndices)
        {
            return null;
        }
        double deviation = ((GaussianNoise)noise.Op).StandardDeviation, signal = Math.Sqrt(facts.Deviations.Average(of => of * of)), ratio = deviation / signal;
        return !(ratio >= Loud) || signal == 0 ? null : Found(Severity.Warning,
            $"{noise.Name} adds noise of the deviation {Number(deviation)} to inputs of the deviation {Number(signal)}: {Number(ratio)} times as much (limit {Number(Loud)}; dropout of 0.8 brings as much).",
            $"Lower its deviation to about {Number(0.1 * signal)}, or leave it out.", [("noise_over_signal", ratio, Loud)], [noise.Name], [], 0.9,
            "In training each sample is hidden behind noise that is drawn anew at each step, so that the loss stays up whatever is learnt; in evaluation there is none.");
    }

    /// <summary>A dropout that only views and the like separate from the output, behind the last layer with weights; null if there is none.</summary>
    internal static Node? OnOutput(Graph graph)
    {
        for (Node node = graph.Output.Node; !HiddenLayers.IsWeighted(node) && node.DataInputs.Count() == 1; node = node.DataInputs.First().Node)
        {
            if (node.Op is DropoutOp { Rate: > 0 })
            {
                return node;
            }
        }
        return null;
    }
}
