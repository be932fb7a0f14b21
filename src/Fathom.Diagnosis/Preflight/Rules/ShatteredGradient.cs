using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>
/// The gradient by the input changes so fast from one input to the next that it looks like noise: shattering, which deep chains of ReLU
/// and batch normalization have without skip connections (Balduzzi et al. 2017, The shattered gradients problem).
/// </summary>
public sealed class ShatteredGradient : PreflightRule
{
    /// <summary>
    /// Lag-1 autocorrelation along 256 points, where white noise has 0 ± 1/√256 = 0.06. On the digits, chains of ReLU layers of 32 units
    /// have 0.96 whatever their depth, with batch normalization 0.42 at 10 layers and 0.02 at 30; residual ones keep 0.9.
    /// </summary>
    private const double Shattered = 0.1;

    public override string Id => "FTH047";

    public override string Problem => "shattered gradient";

    public override string Threshold => "the gradient by the input at neighbouring points, of 256 on a line of 4 standard deviations, correlates by less than 0.1 in a network of 6 or more weighted layers with ReLU (white noise: 0 ± 0.06; Balduzzi et al. 2017)";

    public override Finding? Inspect(PreflightScope scope)
    {
        if (scope.Report.Correlations?.Shattering is not { } shattering || !(shattering.Autocorrelation < Shattered) || scope.Layers.Length < 6 || !scope.Model.Graph.Nodes.Any(node => node.Op is Relu or LeakyRelu or PRelu or RRelu or Relu6))
        {
            return null;
        }
        return Found(Severity.Warning, Causes.Other,
            $"Gradients by inputs {Number(4.0 / (shattering.Points - 1))} deviations apart correlate by {Number(shattering.Autocorrelation)}, where white noise has 0 and {Number(Shattered)} is the limit ({scope.Layers.Length} layers).",
            "Put skip connections around the layers, or use fewer of them.",
            "In a chain of normalised ReLU layers the correlation of gradients about halves with each layer, in a residual network it falls far more slowly. Steps that are right for one input are then noise for the next, and a batch averages them away.",
            scope.Layers.Select(layer => layer.Node.Name), 0.8, [("autocorrelation", shattering.Autocorrelation, Shattered)],
            "residual", "fewer_layers", "activation");
    }
}
