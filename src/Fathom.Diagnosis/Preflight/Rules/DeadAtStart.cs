using Fathom.Diagnosis.Rules;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>Half or more of a ReLU layer's units give 0 for every row of the batch: FTH004 before training.</summary>
public sealed class DeadAtStart : PreflightRule
{
    private const double Share = 0.5;

    private static readonly Rule Training = new DeadRelu();

    public override string Id => Training.Id;

    public override string Problem => Training.Problem;

    public override string Threshold => "half of a layer's units give 0 for every row of the batch, before the first step";

    public override Finding? Inspect(PreflightScope scope)
    {
        LayerReaders readers = new(scope.Model.Graph);
        LayerCorrelation[] dead = [.. scope.Report.Correlations?.Layers.Where(layer => layer.DeadShare >= Share && readers.ActivationAfter(layer.Layer)?.Op is Relu) ?? []];
        if (dead.Length == 0)
        {
            return null;
        }
        LayerCorrelation worst = dead.MaxBy(layer => layer.DeadShare)!;
        return Found(worst.DeadShare >= 1 ? Severity.Error : Severity.Warning, Causes.DeadRelu,
            $"{Percent(worst.DeadShare)} of the units of {readers.ActivationAfter(worst.Layer)!.Name} give 0 for each of {scope.Report.Rows} rows before the first step, where half of a layer is the limit (SageMaker Debugger).",
            "Look at negative biases, and at inputs that are all of one sign or of another scale than 1.",
            "A ReLU that gives 0 passes no gradient on: a unit that gives 0 for every sample gets none, and stays dead.",
            dead.Select(layer => readers.ActivationAfter(layer.Layer)!.Name), 0.6 + 0.35 * (worst.DeadShare - Share) / (1 - Share),
            [("dead_share", worst.DeadShare, 0), ("rows", scope.Report.Rows, double.NaN)], ["activation", "initialization", "bias", "batch_norm"]);
    }
}
