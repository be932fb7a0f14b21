using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A NaN or an infinity. The tensor that had it first, in the order of execution, is told apart from those that passed it
/// on: its inputs were still finite.
/// </summary>
public sealed class NonFiniteValue : Rule
{
    /// <summary>A gradient from which on a weighted square may overflow: √3.4e38, a decade off.</summary>
    private static readonly double SquareOverflows = BatchRange.NearOverflow / 10;

    /// <summary>The rule's <see cref="Id"/>.</summary>
    public const string Identifier = "FTH005";

    /// <summary>Decades of the gradient over depth within which theory says that the initial weights carry it through.</summary>
    private const double Carried = 1.5;

    public override string Id => Identifier;

    public override string Problem => "non-finite value";

    public override string Threshold => "the first NaN or infinity in a loss, activation, gradient, weight or optimizer's state";

    public override bool EveryStep => true;

    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        int first = First(observation);
        return first >= 0 ? OfTensor(observation, first)
            : double.IsFinite(observation.Step.Loss) ? OfState(observation)
            : OfLoss(observation);
    }

    /// <summary>
    /// An optimizer's state that has overflowed although every gradient is finite, such as a mean of squares. It makes no NaN:
    /// what it divides stays as it is from then on. Looked at where a gradient is large enough, and as long as a finding stands.
    /// </summary>
    private Finding? OfState(Observation observation)
    {
        bool open = observation.Open.Count > 0 && observation.Open.Any(finding => finding.Rule == Id);
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            if (observation.Probes[i].Kind == ProbeKind.ParameterGradient && (open || observation.Statistics[i].MaxAbs > SquareOverflows) && BadState(observation, i) is { } finding)
            {
                return finding;
            }
        }
        return null;
    }

    private Finding? BadState(Observation observation, int index)
    {
        Probe probe = observation.Probes[index];
        float[][] states = [.. observation.OptimizerMemory.Export(observation.SliceOf(probe.Node.Name))];
        int bad = Array.FindIndex(states, state => state.Any(x => !float.IsFinite(x)));
        if (bad < 0)
        {
            return null;
        }
        long count = states[bad].LongCount(x => !float.IsFinite(x));
        BatchRange batch = observation.MeasureBatch();
        string kind = observation.OptimizerMemory.Kind;
        return Make(observation, batch, probe.Layer.Name, kind, CauseOf(observation, batch, -1),
            $"Step {observation.Step.Step} leaves {count} of {states[bad].Length} values of state {bad} of {kind} for {probe.Node.Name} NaN or infinite (none is allowed), though its gradient is finite, {Number(observation.Statistics[index].MaxAbs)} at most",
            "The state squares the gradient. A weight whose mean of squares is infinite never changes again.",
            ImmutableSortedDictionary<string, Evidence>.Empty.Add("infinite", new Evidence(count, 0)));
    }

    /// <summary>The watched tensor that was non-finite first in the order of execution; −1 if none was, or the loss before it.</summary>
    private static int First(Observation observation)
    {
        ReadOnlySpan<TensorStatistics> statistics = observation.Statistics;
        foreach (int i in observation.ExecutionOrder)
        {
            ref readonly TensorStatistics tensor = ref statistics[i];
            if (tensor.Finite == tensor.Count && double.IsFinite(tensor.L2))
            {
                continue;
            }
            // What comes after the forward pass inherits from the loss.
            bool forward = observation.Probes[i].Kind is ProbeKind.Parameter or ProbeKind.Activation;
            return forward || double.IsFinite(observation.Step.Loss) ? i : -1;
        }
        return -1;
    }

    private Finding OfTensor(Observation observation, int index)
    {
        Probe probe = observation.Probes[index];
        ref readonly TensorStatistics bad = ref observation.Statistics[index];
        BatchRange batch = observation.MeasureBatch();
        if (probe.Kind == ProbeKind.ParameterUpdate)
        {
            bool overflow = double.IsPositiveInfinity(bad.L2) || observation.Step.LearningRate * observation.Step.ClippedNorm > float.MaxValue;
            return Make(observation, batch, probe.Layer.Name, "update", overflow ? Causes.LearningRateTooLarge : CauseOf(observation, batch, index),
                $"Step {observation.Step.Step} at the learning rate {Number(observation.Step.LearningRate)} makes {Share(bad)} of {probe.Node.Name} NaN or infinite (none is allowed), while every gradient is finite", "",
                ImmutableSortedDictionary<string, Evidence>.Empty.Add("learning_rate", new Evidence(observation.Step.LearningRate, double.NaN)));
        }
        Node producer = probe.Value?.Node ?? probe.Node;
        Node op = producer.Forward ?? producer;
        string from = ReferenceEquals(op, producer) ? $"{op.Name} ({op.Op.Kind})" : $"the backward pass of {op.Name} ({op.Op.Kind})";
        string inputs = string.Join("; ", producer.Inputs.SelectMany(input => Describe(input, observation)));
        return Make(observation, batch, probe.Layer.Name, op.Op.Kind, CauseOf(observation, batch, index),
            $"{probe} has the first non-finite values in step {observation.Step.Step}: {Share(bad)} are NaN or infinite (none is allowed), made by {from}",
            (inputs.Length == 0 ? "" : $"The inputs of {op.Name} were {inputs}.") + PassedOn(observation, index),
            ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("nan", new Evidence(bad.NaN, 0))
                .Add("infinite", new Evidence(bad.PositiveInfinity + bad.NegativeInfinity, 0)));
    }

    /// <summary>How many tensors of the step have non-finite values from the first one.</summary>
    private static string PassedOn(Observation observation, int first)
    {
        int others = 0;
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            others += i != first && observation.Statistics[i].Finite < observation.Statistics[i].Count ? 1 : 0;
        }
        return others == 0 ? "" : $" It is passed on to {others} other watched tensor{(others == 1 ? "" : "s")} of the step, and to the weights.";
    }

    private Finding OfLoss(Observation observation)
    {
        Value prediction = observation.Network.Output;
        BatchRange batch = observation.MeasureBatch();
        string inputs = string.Join("; ", Describe(prediction, observation));
        return Make(observation, batch, prediction.Node.Name, "loss", CauseOf(observation, batch, -1),
            $"The loss ({observation.Model.Plan.Loss.Kind}) is {Number(observation.Step.Loss)} in step {observation.Step.Step}, where a finite number is expected, while every activation is finite",
            $"The loss itself overflows. Its input was {inputs}.",
            ImmutableSortedDictionary<string, Evidence>.Empty.Add("loss", new Evidence(observation.Step.Loss, double.NaN)));
    }

    /// <summary>«5 of 320 values», or all of them where it is their norm that overflows.</summary>
    private static string Share(in TensorStatistics tensor) =>
        $"{(tensor.Finite == tensor.Count ? tensor.Count : tensor.Count - tensor.Finite)} of {tensor.Count} values";

    private Finding Make(Observation observation, BatchRange batch, string layer, string op, string cause, string explanation, string details, ImmutableSortedDictionary<string, Evidence> evidence) => new()
    {
        Rule = Id,
        Problem = batch.BadInputs > 0 ? $"{Problem} in the input {observation.InputName}" : $"{Problem} made by {op}",
        Severity = Severity.Error,
        IsFinal = true,
        Cause = cause,
        Layers = [batch.BadInputs > 0 ? observation.InputName : layer],
        Step = observation.Step.Step,
        Confidence = 1,
        Evidence = evidence
            .Add("gradient_norm", new Evidence(observation.Step.GradientNorm, double.NaN))
            .Add("largest_input", new Evidence(batch.LargestInput, double.NaN)),
        Explanation = $"{explanation}{Data(observation, batch)}.",
        Action = Advice(observation, batch, cause),
        Details = $"{(observation.Step.Step == 0 ? "It is there at the first step." : $"Up to step {observation.Step.Step - 1} all was finite.")}{Mechanism(batch, cause)} {details}".TrimEnd(),
        Remedies = ["learning_rate", "clip_norm", "initialization", "batch_norm", "optimizer", "clip_value"],
    };

    /// <summary>What is wrong with the batch itself, as the end of a sentence.</summary>
    private static string Data(Observation observation, BatchRange batch) =>
        OfData(batch.BadInputs, batch.LargestInput) is { } input ? $"; the input {observation.InputName} itself has {input}"
        : OfData(batch.BadTargets, batch.LargestTarget) is { } target ? $"; the targets have {target}"
        : "";

    private static string? OfData(long bad, double largest) =>
        bad > 0 ? $"{bad} NaN or infinite value{(bad == 1 ? "" : "s")} in this batch"
        : largest >= BatchRange.NearOverflow ? $"values up to {Number(largest)}, near the largest float (3.4e+38)"
        : null;

    private static string Advice(Observation observation, BatchRange batch, string cause) =>
        !batch.Finite ? "Mend the data: fill in the values that are no numbers, or leave the rows out."
        : !batch.InRange ? "Scale the data to mean 0 and variance 1."
        : cause switch
        {
            Causes.Exploding => "Use smaller initial weights or normalisation, or clip the gradient's norm.",
            Causes.LearningRateTooLarge => $"Lower the learning rate ({Number(observation.Step.LearningRate)}), or clip the gradient's norm.",
            _ => $"Look at the scale of the data (largest input of the batch {Number(batch.LargestInput)}) and at the numerics of the op.",
        };

    private static string Mechanism(BatchRange batch, string cause) => !batch.Finite || !batch.InRange ? "" : cause switch
    {
        Causes.Exploding => " The signal grows from layer to layer.",
        Causes.LearningRateTooLarge => " The steps are so large that they replace the weights.",
        _ => " Neither the steps nor the signal had grown.",
    };

    /// <summary>
    /// Data that cannot be computed with come first; then what the traces said before this step; then whether the
    /// network, rather than the data, has brought the numbers close to overflow.
    /// </summary>
    private static string CauseOf(Observation observation, BatchRange batch, int first)
    {
        if (!batch.Finite || !batch.InRange)
        {
            return Causes.Numerical;
        }
        // What theory carries through at the start and steps have blown up is the steps' doing, wherever it overflows.
        if (Math.Abs(observation.ExpectedDecades) < Carried && observation.Layers.Any(layer => layer.IsBlown))
        {
            return Causes.LearningRateTooLarge;
        }
        DepthFit fit = observation.GradientOverDepth;
        if (fit.Layers >= 3 && fit.Decades <= -ExplodingGradient.Decades)
        {
            return Causes.Exploding;
        }
        if (observation.Layers.Any(layer => layer.LogRelativeUpdate > ExplodingGradient.Violent))
        {
            return Causes.LearningRateTooLarge;
        }
        double growth = Math.Max(ForwardGrowth(observation, batch, first), BackwardGrowth(observation));
        return growth >= ExplodingGradient.Decades && growth > Math.Log10(Math.Max(1, batch.LargestInput)) ? Causes.Exploding : Causes.Numerical;
    }

    /// <summary>Decades from the largest input to the largest activation, the product of the first bad node's inputs included.</summary>
    private static double ForwardGrowth(Observation observation, BatchRange batch, int first)
    {
        double reach = 0;
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            if (observation.Probes[i].Kind == ProbeKind.Activation)
            {
                reach = Math.Max(reach, observation.Statistics[i].MaxAbs);
            }
        }
        double start = batch.LargestInput > 0 ? batch.LargestInput : 1;
        if (first >= 0 && observation.Probes[first] is { Kind: ProbeKind.Activation, Node: var node })
        {
            double product = 1;
            foreach (Value input in node.Inputs.Where(input => input.Node.Op is not Parameter || input.Shape.Rank >= 2))
            {
                int probe = ProbeOf(input, observation);
                product *= probe >= 0 ? observation.Statistics[probe].MaxAbs : input == observation.Input ? start : 1;
            }
            reach = Math.Max(reach, product);
        }
        return reach > 0 ? Math.Log10(reach / start) : 0;
    }

    /// <summary>Decades from the gradient at the output to the largest finite one on its way back.</summary>
    private static double BackwardGrowth(Observation observation)
    {
        double start = 0, reach = 0;
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            if (observation.Probes[i].Kind == ProbeKind.ActivationGradient)
            {
                reach = Math.Max(reach, observation.Statistics[i].MaxAbs);
                start = observation.Probes[i].Node == observation.Network.Output.Node ? observation.Statistics[i].MaxAbs : start;
            }
        }
        return start > 0 ? Math.Log10(reach / start) : 0;
    }

    private static IEnumerable<string> Describe(Value value, Observation observation)
    {
        int probe = ProbeOf(value, observation);
        if (probe >= 0)
        {
            TensorStatistics found = observation.Statistics[probe];
            yield return $"{observation.Probes[probe]} (largest {Number(found.MaxAbs)}, mean {Number(found.Mean)})";
        }
    }

    /// <summary>The probe that watches a value: an activation, a gradient or a parameter; −1 if none does.</summary>
    private static int ProbeOf(Value value, Observation observation)
    {
        for (int i = 0; i < observation.Probes.Count; i++)
        {
            Probe probe = observation.Probes[i];
            if (probe.Value == value || (probe.Kind == ProbeKind.Parameter && probe.Node == value.Node))
            {
                return i;
            }
        }
        return -1;
    }
}
