using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Preflight;
using Fathom.Theory;
using static Fathom.Diagnosis.FindingJson;

namespace Fathom.Cli.Verbs.Check;

/// <summary>The object <c>preflight</c> of the JSON that <c>fathom check</c> writes; docs/command-line.md describes it.</summary>
internal static class PreflightJson
{
    public static JsonObject Of(CheckOutcome outcome)
    {
        PreflightReport? report = outcome.Report;
        return new JsonObject
        {
            ["theory"] = Theory(outcome.Prediction.Depth),
            ["measured"] = report is null ? null : Measured(report),
            ["layers"] = Layers(outcome),
            ["recurrent"] = new JsonArray([.. outcome.Prediction.Recurrent.Select(layer => (JsonNode)OverTime(layer))]),
            ["precision"] = outcome.Precision is { } precision ? Precision(precision) : null,
            ["jacobian"] = new JsonArray([.. (report?.Spectrum ?? []).Select(range => (JsonNode)Range(range))]),
            ["correlations"] = report?.Correlations is { } correlations ? Correlations(correlations) : null,
            ["learning_rate_range"] = outcome.Range is { } test ? Test(test) : null,
            ["memory"] = Memory(outcome),
            ["notes"] = new JsonArray([.. outcome.Notes.Select(note => (JsonNode)note)]),
        };
    }

    private static JsonObject Theory(DepthProfile depth) => new()
    {
        ["decades"] = Number(depth.TotalDecades),
        ["factor_per_layer"] = Number(depth.FactorPerLayer),
        ["depth"] = depth.Layers.Length,
        ["trainable_depth"] = depth.TrainableDepth is { } most ? Number(most) : null,
        ["fixed_point"] = depth.FixedPoint is not { } point ? null : new JsonObject
        {
            ["q"] = Number(point.Length),
            ["c"] = Number(point.Correlation),
            ["chi1"] = Number(point.Chi1),
            ["phase"] = point.Phase.ToString().ToLowerInvariant(),
            ["length_scale"] = Number(point.LengthScale),
            ["correlation_scale"] = Number(point.CorrelationScale),
            ["gradient_scale"] = Number(point.GradientScale),
            ["weight_variance"] = Number(point.WeightVariance),
            ["bias_variance"] = Number(point.BiasVariance),
        },
        ["nearest_critical"] = depth.NearestCritical is not { } critical ? null : new JsonObject
        {
            ["weight_variance"] = Number(critical.WeightVariance),
            ["bias_variance"] = Number(critical.BiasVariance),
            ["q"] = Number(critical.Length),
        },
    };

    private static JsonObject OverTime(RecurrentPrediction layer) => new()
    {
        ["layer"] = layer.Layer.Name,
        ["steps"] = layer.Steps,
        ["factor_per_step"] = Number(layer.FactorPerStep),
        ["memory_steps"] = Number(layer.MemoryTime),
        ["decades_lost"] = Number(layer.DecadesLost),
        ["carry"] = Number(layer.Carry),
        ["from_last_log10"] = Decades(layer.Log10FromLast),
        ["from_all_log10"] = Decades(layer.Log10FromAll),
        ["gradient_log10"] = Decades(layer.Log10Gradients),
    };

    private static JsonArray Decades(IEnumerable<double> decades) => new([.. decades.Select(number => Number(number))]);

    private static JsonObject Precision(PrecisionForecast precision)
    {
        JsonObject formats = [];
        foreach (NumberFormat format in NumberFormat.All)
        {
            if (precision.Worst(format) is { } worst)
            {
                formats[format.Name] = new JsonObject
                {
                    ["layer"] = worst.Layer.Layer.Name,
                    ["flushed"] = Number(worst.Shares.Flushed),
                    ["subnormal"] = Number(worst.Shares.Subnormal),
                    ["overflow"] = Number(worst.Shares.Overflow),
                };
            }
        }
        return new JsonObject { ["fp16_loss_scale"] = Number(precision.RecommendedLossScale()), ["gradients"] = formats };
    }

    private static JsonObject Measured(PreflightReport report) => new()
    {
        ["data"] = report.Data,
        ["real_data"] = report.RealData,
        ["rows"] = report.Rows,
        ["seeds"] = report.Seeds,
        ["loss"] = Number(report.Loss),
        ["gradient_norm"] = Number(report.GradientNorm),
        ["decades"] = Number(report.TotalDecades),
        ["learning_rate"] = Number(report.LearningRate),
        ["step_ms"] = Number(report.StepMilliseconds),
    };

    private static JsonArray Layers(CheckOutcome outcome)
    {
        Dictionary<Graphs.Node, NodeMeasurement> measured = outcome.Report?.Nodes.ToDictionary(node => node.Node) ?? [];
        JsonArray layers = [];
        foreach (LayerPrediction layer in outcome.Prediction.Depth.Layers)
        {
            NodeMeasurement? found = measured.GetValueOrDefault(layer.Layer);
            NodeMeasurement? activation = layer.Activation is { } node ? measured.GetValueOrDefault(node) : null;
            layers.Add(new JsonObject
            {
                ["layer"] = layer.Layer.Name,
                ["op"] = layer.Layer.Op.Kind,
                ["depth"] = layer.Depth,
                ["source"] = outcome.Prediction[layer.Layer].Source.ToString().ToLowerInvariant(),
                ["factor"] = Number(layer.Factor),
                ["gradient"] = Compared(found?.Gradient, layer.Log10GradientNorm, layer.LogDeviation),
                ["signal"] = Compared(found?.Signal, Math.Log10(layer.PreActivation.SecondMoment) / 2, layer.SignalDeviation),
                ["mean"] = found is null ? null : Number(found.Mean),
                ["variance"] = found is null ? null : Number(found.Variance),
                ["weight_gradient"] = Compared(found?.Weights?.Gradient, layer.Log10WeightGradient, layer.WeightGradientDeviation),
                ["gradient_norm_log10"] = found is null ? null : Number(found.GradientNorm),
                ["weight_norm"] = found?.Weights is { } weights ? Number(weights.Norm) : null,
                ["first_update"] = found?.Weights is { } moved ? Number(moved.RelativeUpdate) : null,
                ["over_time_log10"] = found?.OverTime is { } time ? Decades(time.LogGradients) : null,
                ["activation"] = layer.Activation?.Op.Kind,
                ["saturated_expected"] = layer.SaturatedShare is { } share ? Number(share) : null,
                ["saturated"] = activation is null ? null : Number(activation.Saturated),
                ["zeros"] = activation is null ? null : Number(activation.Zeros),
            });
        }
        return layers;
    }

    /// <summary>A quantity in decades: what theory expects of one draw in the middle, what was measured, and how they differ.</summary>
    private static JsonObject Compared(Comparison? comparison, double predicted, double deviation) => new()
    {
        ["expected_log10"] = Number(comparison is { Expected: double expected } && !double.IsNaN(expected) ? expected : predicted + Judgement.Shift(deviation)),
        ["deviation"] = Number(comparison?.ExpectedDeviation ?? deviation),
        ["measured_log10"] = comparison is { } found ? Number(found.Measured) : null,
        ["measured_deviation"] = comparison is { } spread ? Number(spread.MeasuredDeviation) : null,
        ["z"] = comparison is { } judged ? Number(judged.Z) : null,
    };

    private static JsonObject Range(JacobianSpectrum range) => new()
    {
        ["from"] = range.From,
        ["to"] = range.To,
        ["inputs"] = range.Inputs,
        ["outputs"] = range.Outputs,
        ["largest"] = Number(range.Largest),
        ["smallest"] = Number(range.Smallest),
        ["smallest_is_bound"] = range.SmallestIsBound,
        ["mean"] = Number(range.Mean),
        ["expected"] = Number(range.Expected),
        ["samples"] = range.Samples,
        ["method"] = range.Method,
    };

    private static JsonObject Correlations(CorrelationReport report) => new()
    {
        ["layers"] = new JsonArray([.. report.Layers.Select(layer => (JsonNode)new JsonObject
        {
            ["layer"] = layer.Layer.Name,
            ["samples"] = Number(layer.Similarity),
            ["samples_expected"] = Number(layer.Expected),
            ["samples_distance"] = Number(layer.Distance),
            ["positions"] = Number(layer.TokenSimilarity),
            ["gradients"] = Number(layer.GradientSimilarity),
            ["dead_share"] = Number(layer.DeadShare),
        })]),
        ["gradient_autocorrelation"] = report.Shattering is { } shattering ? Number(shattering.Autocorrelation) : null,
    };

    private static JsonObject Test(LearningRateRange range) => new()
    {
        ["status"] = range.Status,
        ["low"] = Number(range.Low),
        ["high"] = Number(range.High),
        ["diverged"] = Number(range.Diverged),
        ["steps"] = new JsonArray([.. range.Steps.Select(step => (JsonNode)new JsonObject { ["rate"] = Number(step.Rate), ["loss"] = Number(step.Loss), ["smoothed"] = Number(step.Smoothed) })]),
    };

    private static JsonObject Memory(CheckOutcome outcome) => outcome.Report is { } report && report.Rows == report.PlannedRows
        ? Memory("planned", report.Rows, report.Memory.Parameters, report.Memory.Gradients, report.Memory.OptimizerState, report.Memory.Activations, report.Memory.Total)
        : Memory("estimated", null, outcome.Memory.Parameters, outcome.Memory.Gradients, outcome.Memory.OptimizerState, outcome.Memory.Activations, outcome.Memory.Total);

    private static JsonObject Memory(string source, int? rows, long parameters, long gradients, long optimizer, long activations, long total) => new()
    {
        ["source"] = source,
        ["rows"] = rows,
        ["parameters"] = parameters,
        ["gradients"] = gradients,
        ["optimizer"] = optimizer,
        ["activations"] = activations,
        ["total"] = total,
    };
}
