using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Inputs far larger or smaller than the unit size that initialization reckons with, such as bytes from 0 to 255.</summary>
public sealed class UnscaledInput : AuditRule
{
    private const double Large = 10, Hopeless = 30, Small = 0.01;

    public override string Id => "FTH013";

    public override string Problem => "unscaled inputs";

    public override string Threshold => "root mean square of the inputs as the first layer reads them, 1 when standardized (LeCun et al. 1998, section 4.3): a warning from 10 up and below 0.01; an error from 30 up where the optimizer's step is proportional to the gradient (SGD), of which the first layer's then is 30 times the others'";

    public override string Cause => Causes.UnscaledInput;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.ReadsIndices || scope.Input.IsNormalized || scope.Features is not { } facts)
        {
            return null;
        }
        (double factor, double offset) = (scope.Input.Factor, scope.Input.Offset);
        double mean = factor * facts.Mean + offset;
        double second = factor * factor * facts.SecondMoment + 2 * factor * offset * facts.Mean + offset * offset;
        double size = Math.Sqrt(Math.Max(0, second));
        double spread = Math.Sqrt(Math.Max(0, second - mean * mean));
        if (size is < Large and >= Small || size == 0)
        {
            return null;
        }
        bool fails = size >= Hopeless && scope.StepFollowsGradient;
        string where = $"The inputs of '{scope.Rows!.Name}' go from {Number(facts.Least)} to {Number(facts.Most)}{scope.Sampled(facts.Rows)}{(factor != 1 || offset != 0 ? ", before rescaling," : "")}: mean {Number(mean)}, standard deviation {Number(spread)}, " +
            $"root mean square {Number(size)} where initialization reckons with about 1";
        string effect = size < Small
            ? "; the signal drowns in the biases, and the first layer's gradient is as small. "
            : $"; the first layer's outputs and gradient are {Number(Math.Round(size))} times what they should be{(fails ? $", and with {scope.Model.Plan.Optimizer.Kind} so is its step" : "")}. ";
        return Found(fails ? Severity.Error : Severity.Warning,
            where + effect + $"Set 'standardize: true' in the model file's data, or scale the inputs{(facts is { Least: >= 0, Most: <= 255 and > 200 } ? " by 1/255" : "")}.",
            [("input_root_mean_square", size, 1), ("input_mean", mean, 0), ("input_standard_deviation", spread, 1)], scope.FirstLayers, confidence: fails ? 0.95 : 0.9);
    }
}
