using Fathom.Diagnosis.Remedies;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Inputs far larger or smaller than the unit size that initialization reckons with, such as bytes from 0 to 255.</summary>
public sealed class UnscaledInput : AuditRule
{
    private const double Large = 10, Small = 0.01;

    /// <summary>
    /// Learning rate times a row's norm. A step moves the weights of a unit by η·|δ|·‖x‖, and ‖w‖ is about 1.4 at the start; from
    /// here on that is all of it, with |δ| at the 0.3 that a softmax begins with. Digits of any scale train below 2 and do
    /// not above 6.
    /// </summary>
    private const double Hopeless = 5;

    public override string Id => "FTH013";

    public override string Problem => "unscaled inputs";

    public override string Threshold => "root mean square of the inputs as the first layer reads them, 1 when standardized (LeCun et al. 1998, section 4.3): a warning from 10 up and below 0.01; an error from 10 up if besides, with SGD, the learning rate times the norm of a row is 5 or more, so that the first steps replace the first layer's weights";

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
        double reach = scope.LearningRate * size * Math.Sqrt(scope.Rows!.Features);
        bool fails = size >= Large && scope.StepFollowsGradient && reach >= Hopeless;
        string rate = fails ? $", and the learning rate times a row's norm is {Number(reach)} (limit {Number(Hopeless)})" : "";
        string effect = size < Small
            ? "The signal drowns in the biases, and the first layer's gradient is as small."
            : $"The first layer's outputs and gradient are {Number(Math.Round(size))} times what they should be{(fails ? $", and at a learning rate of {Number(scope.Model.Plan.Optimizer.LearningRate)} the first steps of {OptimizerParts.NameOf(scope.Model.Plan.Optimizer)} replace its weights" : "")}.";
        return Found(fails ? Severity.Error : Severity.Warning,
            $"The inputs of '{scope.Rows!.Name}' have a root mean square of {Number(size)}, where initialization reckons with about 1 (limit {Number(size < Small ? Small : Large)}; LeCun et al. 1998){rate}{scope.Sampled(facts.Rows)}.",
            $"Set 'standardize: true' in the model file's data, or scale the inputs{(facts is { Least: >= 0, Most: <= 255 and > 200 } ? " by 1/255" : "")}.",
            [("input_root_mean_square", size, 1), ("input_mean", mean, 0), ("input_standard_deviation", spread, 1), ("learning_rate_times_row_norm", reach, Hopeless)], scope.FirstLayers, ["input_scaling", "batch_norm"], confidence: fails ? 0.95 : 0.9,
            details: $"{effect} They go from {Number(facts.Least)} to {Number(facts.Most)}{(factor != 1 || offset != 0 ? " before rescaling" : "")}, with mean {Number(mean)} and standard deviation {Number(spread)} as the first layer reads them.");
    }
}
