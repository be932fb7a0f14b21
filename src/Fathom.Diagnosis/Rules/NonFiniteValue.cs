using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Training.Execution;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A NaN or an infinity. The tensor that had it first, in the order of execution, is told apart from those that passed it
/// on: its inputs were still finite.
/// </summary>
public sealed class NonFiniteValue : Rule
{
    public override string Id => "FTH005";

    public override string Problem => "non-finite value";

    public override string Threshold => "the first NaN or infinity in a loss, activation, gradient or weight";

    public override bool EveryStep => true;

    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        int first = First(observation);
        bool lossFinite = double.IsFinite(observation.Step.Loss);
        if (first < 0 && lossFinite)
        {
            return null;
        }
        return first < 0 ? OfLoss(observation) : OfTensor(observation, first);
    }

    /// <summary>
    /// The watched tensor that was non-finite first: parameters as the step found them, then activations in forward
    /// order, then gradients in backward order.
    /// </summary>
    private static int First(Observation observation)
    {
        ReadOnlySpan<TensorStatistics> statistics = observation.Statistics;
        int activation = -1, gradient = -1, parameter = -1;
        for (int i = 0; i < statistics.Length; i++)
        {
            if (statistics[i].Finite == statistics[i].Count)
            {
                continue;
            }
            switch (observation.Probes[i].Kind)
            {
                case ProbeKind.Parameter when parameter < 0:
                    parameter = i;
                    break;
                case ProbeKind.Activation when activation < 0:
                    activation = i;
                    break;
                case ProbeKind.ActivationGradient or ProbeKind.ParameterGradient:
                    gradient = i; // the backward pass runs from the last to the first
                    break;
            }
        }
        return parameter >= 0 ? parameter : activation >= 0 ? activation : double.IsFinite(observation.Step.Loss) ? gradient : -1;
    }

    private Finding OfTensor(Observation observation, int index)
    {
        Probe probe = observation.Probes[index];
        ref readonly TensorStatistics bad = ref observation.Statistics[index];
        string inputs = string.Join("; ", InputsOf(probe.Node, observation));
        string count = $"{bad.NaN} NaN, {bad.PositiveInfinity} +∞, {bad.NegativeInfinity} −∞ of {bad.Count}";
        return Make(observation, probe.Layer.Name, probe.Node.Op.Kind,
            $"{probe} has the first non-finite values: {count}. It comes from {probe.Node.Name} ({probe.Node.Op.Kind})" +
            (inputs.Length == 0 ? "." : $", whose inputs were {inputs}.") + Advice(observation),
            ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("nan", new Evidence(bad.NaN, 0))
                .Add("infinite", new Evidence(bad.PositiveInfinity + bad.NegativeInfinity, 0)));
    }

    private Finding OfLoss(Observation observation)
    {
        Value prediction = observation.Network.Output;
        string inputs = string.Join("; ", Describe(prediction.Node, observation));
        return Make(observation, prediction.Node.Name, "loss",
            $"The loss ({observation.Model.Plan.Loss.Kind}) is {Number(observation.Step.Loss)}, while every activation is finite: the loss itself overflows. Its input was {inputs}." + Advice(observation),
            ImmutableSortedDictionary<string, Evidence>.Empty.Add("loss", new Evidence(observation.Step.Loss, double.NaN)));
    }

    private static string Advice(Observation observation) => observation.Step.Step == 0
        ? " It is there at the first step: look at the data and the initial weights."
        : $" Up to step {observation.Step.Step - 1} all was finite; lower the learning rate or clip the gradient's norm.";

    private Finding Make(Observation observation, string layer, string op, string explanation, ImmutableSortedDictionary<string, Evidence> evidence) => new()
    {
        Rule = Id,
        Problem = $"{Problem} made by {op}",
        Severity = Severity.Error,
        Cause = Grown(observation) ? Causes.Exploding : Causes.Numerical,
        Layers = [layer],
        Step = observation.Step.Step,
        Confidence = 1,
        Evidence = evidence.Add("gradient_norm", new Evidence(observation.Step.GradientNorm, double.NaN)),
        Explanation = explanation,
        Remedies = ["learning_rate", "clip_norm", "initialization", "batch_norm", "optimizer"],
    };

    /// <summary>Whether updates were violent, or the signal over depth was growing, before the value turned up.</summary>
    private static bool Grown(Observation observation)
    {
        DepthFit fit = observation.GradientOverDepth;
        return observation.Layers.Any(layer => layer.LogRelativeUpdate > -0.5 || double.IsNaN(layer.LogRelativeUpdate) || layer.LogWeightGradient > 3) || fit.Decades < -3;
    }

    private static IEnumerable<string> InputsOf(Node node, Observation observation) =>
        node.Inputs.SelectMany(input => Describe(input.Node, observation));

    private static IEnumerable<string> Describe(Node node, Observation observation)
    {
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            Probe probe = observation.Probes[i];
            if (probe.Node == node && (probe.Kind is ProbeKind.Activation or ProbeKind.Parameter))
            {
                TensorStatistics found = observation.Statistics[i];
                yield return $"{node.Name} (largest {Number(found.MaxAbs)}, mean {Number(found.Mean)})";
            }
        }
    }
}
