using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// What has been measured at one layer with weights, smoothed over the last steps. Norms are kept as log10, since they
/// span dozens of decades.
/// </summary>
public sealed class LayerTrace
{
    /// <summary>Stands for a norm of exactly 0: below the smallest float, 1.4e-45.</summary>
    public const double Floor = -46;

    /// <summary>log10 of a layer's weights over their initial norm, three times, from which on steps have made them what they are.</summary>
    internal const double Blown = 0.5;

    /// <summary>
    /// Steps after which a layer that began with zero weights is measured against them: before, any step is large beside
    /// what the few steps so far have built.
    /// </summary>
    private const int SettlingSteps = 10;

    /// <summary>Weight of the newest step in the smoothed values.</summary>
    private const double NewShare = 0.2;

    private readonly int gradientProbe;
    private readonly int weightProbe;
    private readonly int weightGradientProbe;
    private readonly int updateProbe;
    private readonly int activationProbe;
    private long gradients;
    private int settling;

    internal LayerTrace(Node layer, int depth, IReadOnlyList<Probe> probes, Node? activation)
    {
        (Layer, Depth, Activation) = (layer, depth, activation);
        string weight = Weight = layer.Parameters.First(parameter => parameter.Outputs[0].Shape.Rank >= 2).Name;
        gradientProbe = Index(probes, layer.Name, ProbeKind.ActivationGradient);
        weightProbe = Index(probes, weight, ProbeKind.Parameter);
        weightGradientProbe = Index(probes, weight, ProbeKind.ParameterGradient);
        updateProbe = Index(probes, weight, ProbeKind.ParameterUpdate);
        activationProbe = activation is null ? -1 : Index(probes, activation.Name, ProbeKind.Activation);
    }

    /// <summary>The layer with weights.</summary>
    public Node Layer { get; }

    /// <summary>Name of the weight matrix or kernel that is watched.</summary>
    internal string Weight { get; }

    /// <summary>Whether no path leads from the weights to the loss.</summary>
    internal bool IsDetached => weightGradientProbe < 0;

    /// <summary>log10 of the root mean square of the last update's elements; NaN if the weights are not watched.</summary>
    internal double LastLogStep { get; private set; } = double.NaN;

    /// <summary>The probe of the weights' gradient; −1 if they are not trained.</summary>
    internal int WeightGradientProbe => weightGradientProbe;

    /// <summary>Layers with weights up to here, this one included.</summary>
    public int Depth { get; }

    /// <summary>The elementwise function that reads the layer, if one does; of a recurrent layer that saturates, the layer itself.</summary>
    public Node? Activation { get; }

    /// <summary>log10 of the L2 norm of the gradient by the layer's output, over a batch.</summary>
    public double LogGradient { get; private set; } = double.NaN;

    /// <summary>Mean of log10 of that norm over all steps so far.</summary>
    public double MeanLogGradient { get; private set; } = double.NaN;

    /// <summary>log10 of the L2 norm of the gradient by the weights.</summary>
    public double LogWeightGradient { get; private set; } = double.NaN;

    /// <summary>log10 of ‖Δw‖/‖w‖ per step; about −3 in healthy training, NaN until weights that began at 0 have moved.</summary>
    public double LogRelativeUpdate { get; private set; } = double.NaN;

    /// <summary>The largest that <see cref="LogRelativeUpdate"/> has been: steps that have blown weights up look small beside them afterwards.</summary>
    public double LogLargestUpdate { get; private set; } = double.NaN;

    /// <summary>‖Δw‖/‖w‖ per step; exactly 0 where every update is lost in rounding.</summary>
    public double RelativeUpdate => LogRelativeUpdate <= Floor + 0.5 ? 0 : Math.Pow(10, LogRelativeUpdate);

    /// <summary>Whether weights that began at 0 have moved, but too little as yet to measure a step against them.</summary>
    internal bool Settling => settling > 0 && WeightNorm > 0;

    /// <summary>Share of the activation's outputs that are saturated; NaN if it cannot saturate.</summary>
    public double Saturated { get; private set; } = double.NaN;

    /// <summary>Share of the activation's outputs that are exactly 0.</summary>
    public double Zeros { get; private set; } = double.NaN;

    /// <summary>Norm of the weights.</summary>
    public double WeightNorm { get; private set; }

    /// <summary>Norm of the weights at the first step; 0 for weights that begin at 0.</summary>
    public double FirstWeightNorm { get; private set; } = double.NaN;

    /// <summary>log10 of the weights' norm over that at the start; NaN where they began at 0.</summary>
    public double LogGrowth => FirstWeightNorm > 0 ? Math.Log10(Math.Max(WeightNorm, 1e-46) / FirstWeightNorm) : double.NaN;

    /// <summary>
    /// Whether steps have blown the weights up: to three times their initial norm, by steps that at their largest changed
    /// them by 1 % or more at once. Weights that grow by as much in thousands of small steps have learnt.
    /// </summary>
    public bool IsBlown => LogGrowth > 0.5 && LogLargestUpdate > -2;

    /// <summary>Takes in a step; tensors with a NaN or an infinity in them are left out.</summary>
    internal void Add(ReadOnlySpan<TensorStatistics> statistics)
    {
        double gradient = Log(statistics, gradientProbe);
        if (LogGradient == Floor && gradient > Floor)
        {
            // Nothing arrived as long as weights above were still at the 0 they began with, as Fixup has it: these steps
            // say nothing about how the gradient fares, and a mean over logarithms would not forget them for long.
            (LogGradient, MeanLogGradient, LogWeightGradient, LogRelativeUpdate, gradients) = (double.NaN, double.NaN, double.NaN, double.NaN, 0);
        }
        LogGradient = Blend(LogGradient, gradient, NewShare);
        if (!double.IsNaN(gradient))
        {
            gradients++;
            MeanLogGradient = Blend(MeanLogGradient, gradient, 1.0 / gradients);
        }
        LogWeightGradient = Blend(LogWeightGradient, Log(statistics, weightGradientProbe), NewShare);
        if (weightProbe >= 0 && updateProbe >= 0)
        {
            AddUpdate(statistics[weightProbe], statistics[updateProbe].L2);
            LastLogStep = Math.Log10(Math.Max(statistics[updateProbe].L2, 1e-46) / Math.Sqrt(Math.Max(1, statistics[updateProbe].Count)));
        }
        if (activationProbe >= 0 && IsFinite(statistics[activationProbe]))
        {
            ref readonly TensorStatistics activation = ref statistics[activationProbe];
            double count = Math.Max(1, activation.Count);
            Saturated = Activation!.Op.Saturation is null ? double.NaN : Blend(Saturated, activation.Saturated / count, NewShare);
            Zeros = Blend(Zeros, activation.Zeros / count, NewShare);
        }
    }

    /// <summary>The state as numbers, for <see cref="Restore"/>.</summary>
    internal double[] Capture() => [gradients, settling, LogGradient, MeanLogGradient, LogWeightGradient, LogRelativeUpdate, Saturated, Zeros, WeightNorm, FirstWeightNorm, LogLargestUpdate];

    /// <summary>Takes a state over; false if it is none.</summary>
    internal bool Restore(IReadOnlyList<double> state)
    {
        if (state.Count != 11 || !(state[0] >= 0) || !(state[1] >= 0))
        {
            return false;
        }
        (gradients, settling) = ((long)state[0], (int)state[1]);
        (LogGradient, MeanLogGradient, LogWeightGradient, LogRelativeUpdate) = (state[2], state[3], state[4], state[5]);
        (Saturated, Zeros, WeightNorm, FirstWeightNorm, LogLargestUpdate) = (state[6], state[7], state[8], state[9], state[10]);
        return true;
    }

    private void AddUpdate(in TensorStatistics weight, double update)
    {
        if (!IsFinite(weight))
        {
            return;
        }
        WeightNorm = weight.L2;
        FirstWeightNorm = double.IsNaN(FirstWeightNorm) ? WeightNorm : FirstWeightNorm;
        if (WeightNorm == 0)
        {
            settling = SettlingSteps; // any step is infinitely large beside nothing
        }
        else if (settling > 0)
        {
            settling--;
        }
        else if (double.IsFinite(update))
        {
            LogRelativeUpdate = Blend(LogRelativeUpdate, Math.Log10(Math.Max(update / WeightNorm, 1e-46)), NewShare);
            LogLargestUpdate = LogLargestUpdate >= LogRelativeUpdate ? LogLargestUpdate : LogRelativeUpdate;
        }
    }

    private static bool IsFinite(in TensorStatistics tensor) => tensor.Finite == tensor.Count;

    private static double Log(ReadOnlySpan<TensorStatistics> statistics, int probe) =>
        probe < 0 || !IsFinite(statistics[probe]) ? double.NaN : statistics[probe].L2 > 0 ? Math.Log10(statistics[probe].L2) : Floor;

    private static double Blend(double old, double value, double share) =>
        double.IsNaN(old) ? value : double.IsNaN(value) ? old : old + share * (value - old);

    private static int Index(IReadOnlyList<Probe> probes, string node, ProbeKind kind)
    {
        for (int i = 0; i < probes.Count; i++)
        {
            if (probes[i].Kind == kind && probes[i].Node.Name == node)
            {
                return i;
            }
        }
        return -1;
    }
}
