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

    /// <summary>Weight of the newest step in the smoothed values.</summary>
    private const double NewShare = 0.2;

    private readonly int gradientProbe;
    private readonly int weightProbe;
    private readonly int weightGradientProbe;
    private readonly int updateProbe;
    private readonly int activationProbe;
    private long steps;

    internal LayerTrace(Node layer, int depth, IReadOnlyList<Probe> probes, Node? activation)
    {
        (Layer, Depth, Activation) = (layer, depth, activation);
        string weight = layer.Parameters.First(parameter => parameter.Outputs[0].Shape.Rank >= 2).Name;
        gradientProbe = Index(probes, layer.Name, ProbeKind.ActivationGradient);
        weightProbe = Index(probes, weight, ProbeKind.Parameter);
        weightGradientProbe = Index(probes, weight, ProbeKind.ParameterGradient);
        updateProbe = Index(probes, weight, ProbeKind.ParameterUpdate);
        activationProbe = activation is null ? -1 : Index(probes, activation.Name, ProbeKind.Activation);
    }

    /// <summary>The layer with weights.</summary>
    public Node Layer { get; }

    /// <summary>Layers with weights up to here, this one included.</summary>
    public int Depth { get; }

    /// <summary>The elementwise function that reads the layer, if one does.</summary>
    public Node? Activation { get; }

    /// <summary>log10 of the L2 norm of the gradient by the layer's output, over a batch.</summary>
    public double LogGradient { get; private set; } = double.NaN;

    /// <summary>Mean of log10 of that norm over all steps so far.</summary>
    public double MeanLogGradient { get; private set; } = double.NaN;

    /// <summary>log10 of the L2 norm of the gradient by the weights.</summary>
    public double LogWeightGradient { get; private set; } = double.NaN;

    /// <summary>log10 of ‖Δw‖/‖w‖ per step; about −3 in healthy training.</summary>
    public double LogRelativeUpdate { get; private set; } = double.NaN;

    /// <summary>Share of the activation's outputs that are saturated; NaN if it cannot saturate.</summary>
    public double Saturated { get; private set; } = double.NaN;

    /// <summary>Share of the activation's outputs that are exactly 0.</summary>
    public double Zeros { get; private set; } = double.NaN;

    /// <summary>Norm of the weights.</summary>
    public double WeightNorm { get; private set; }

    internal void Add(ReadOnlySpan<TensorStatistics> statistics)
    {
        double share = steps == 0 ? 1 : NewShare;
        steps++;
        double gradient = Log(statistics, gradientProbe);
        LogGradient = Blend(LogGradient, gradient, share);
        if (double.IsFinite(gradient))
        {
            MeanLogGradient = Blend(MeanLogGradient, gradient, 1.0 / steps);
        }
        LogWeightGradient = Blend(LogWeightGradient, Log(statistics, weightGradientProbe), share);
        if (weightProbe >= 0 && updateProbe >= 0)
        {
            WeightNorm = statistics[weightProbe].L2;
            double relative = WeightNorm > 0 ? Math.Log10(Math.Max(statistics[updateProbe].L2 / WeightNorm, 1e-46)) : Floor;
            LogRelativeUpdate = Blend(LogRelativeUpdate, relative, share);
        }
        if (activationProbe >= 0)
        {
            ref readonly TensorStatistics activation = ref statistics[activationProbe];
            double count = Math.Max(1, activation.Count);
            Saturated = Activation!.Op.Saturation is null ? double.NaN : Blend(Saturated, activation.Saturated / count, share);
            Zeros = Blend(Zeros, activation.Zeros / count, share);
        }
    }

    private static double Log(ReadOnlySpan<TensorStatistics> statistics, int probe) =>
        probe < 0 ? double.NaN : statistics[probe].L2 > 0 ? Math.Log10(statistics[probe].L2) : Floor;

    private static double Blend(double old, double value, double share) => double.IsNaN(old) ? value : old + share * (value - old);

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
