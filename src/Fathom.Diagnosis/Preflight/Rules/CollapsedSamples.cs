using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>
/// The samples of a batch look the same to a hidden layer: in the ordered phase all correlations run to 1 (Schoenholz et al.
/// 2017), and attention without a skip connection does the same to tokens (Dong et al. 2021; Noci et al. 2022).
/// </summary>
public sealed class CollapsedSamples : PreflightRule
{
    /// <summary>1 − c: differences of a thousandth of the signal, of which float32 keeps four digits.</summary>
    private const double Collapsed = 1e-6;

    /// <summary>1 − c of the first layer above which the samples differ to begin with.</summary>
    private const double Different = 1e-3;

    public override string Id => "FTH007";

    public override string Problem => "samples look alike";

    public override string Threshold => "1 − c of two samples at a layer below 1e-6 where it is above 1e-3 at the first one, or 1 − c of two positions of a sample: differences of a thousandth of the signal";

    public override Finding? Inspect(PreflightScope scope)
    {
        if (scope.Report.Correlations is not { Layers: { Length: > 2 } layers })
        {
            return null;
        }
        LayerCorrelation[] alike = [.. layers.Where(layer => layer.Distance < Collapsed && layers[0].Distance > Different)];
        LayerCorrelation[] tokens = [.. layers.Where(layer => 1 - layer.TokenSimilarity < Collapsed && 1 - layers[0].TokenSimilarity > Different)];
        if (alike.Length == 0 && tokens.Length == 0)
        {
            return null;
        }
        bool positions = alike.Length == 0;
        LayerCorrelation first = positions ? tokens[0] : alike[0];
        double distance = positions ? 1 - first.TokenSimilarity : first.Distance;
        return Found(Severity.Warning, Causes.BadInitialization,
            $"From {first.Layer.Name} on {(positions ? "the positions of a sample" : "the samples of a batch")} look the same: 1 − c, c being their correlation, is {Number(distance)} (limit {Number(Collapsed)}), where it is {Number(positions ? 1 - layers[0].TokenSimilarity : layers[0].Distance)} at {layers[0].Layer.Name}.",
            "Draw weights at the edge of chaos (χ1 = 1), or add normalization or residual connections.",
            "What follows cannot tell them apart, and learns one answer for all: in the ordered phase every layer makes two inputs more alike (Schoenholz et al. 2017).",
            (positions ? tokens : alike).Select(layer => layer.Layer.Name), 0.9, [("distance", distance, Collapsed)], ["initialization", "activation", "batch_norm", "residual"]);
    }
}
