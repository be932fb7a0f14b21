using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Execution;

namespace Fathom.Training;

/// <summary>How a step has changed the loss of the very batch that it was made for.</summary>
/// <param name="Slope">g·Δw, what the gradient promised: below 0 for a step downhill. In units of the loss.</param>
/// <param name="Change">L(w + kΔw) − L(w), what came of it.</param>
/// <param name="Loss">L(w).</param>
/// <param name="Factor">k: 1, or a power of 10 for a step too short for float32 to tell the losses apart.</param>
internal readonly record struct StepMeasurement(double Slope, double Change, double Loss, double Factor)
{
    /// <summary>
    /// ΔwᵀHΔw / −g·Δw by a parabola through both losses: for gradient descent the rate times the curvature along the gradient. Above 2 the
    /// step raises the loss of its own batch; the step that lowers it most is 1/it times as long. NaN for a step uphill.
    /// </summary>
    public double Sharpness => Slope < 0 ? 2 * (Change - Factor * Slope) / (-Slope * Factor * Factor) : double.NaN;
}

/// <summary>Gradients of two halves of a batch, for one parameter.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Dot">g₁·g₂, whose mean is the squared norm of the gradient without noise.</param>
/// <param name="Difference">‖g₁ − g₂‖².</param>
internal readonly record struct GradientHalves(ParameterSlice Parameter, double Dot, double Difference);

/// <summary>How far batch normalization's running statistics are from those of a batch, as medians over channels.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Mean">|running mean − batch mean| in the batch's standard deviations.</param>
/// <param name="LogVariance">|ln(running variance / batch variance)|.</param>
internal readonly record struct StatisticsGap(Node Layer, double Mean, double LogVariance);

/// <content>Measurements beside the steps. They leave everything as they find it.</content>
public sealed partial class TrainingSession
{
    /// <summary>Change of the loss, relative to it, that float32 resolves to about a per cent.</summary>
    private const double Resolved = 1e-4;

    private const double LongestFactor = 1000;

    private readonly Dictionary<int, ExecutionPlan<float>> forwardPlans = [], halfPlans = [];
    private float[] keptWeights = [], presentWeights = [];
    private long keptBefore = -1;

    private IEnumerable<Node> NormalizedLayers => Model.Graph.Nodes.Where(node => node.Op is BatchNorm);

    /// <summary>Remembers the weights, to measure the next step by.</summary>
    internal void KeepWeights()
    {
        if (keptWeights.Length == 0)
        {
            keptWeights = new float[Parameters.Values.Length];
        }
        Parameters.Values.Span.CopyTo(keptWeights);
        keptBefore = NextStep;
    }

    /// <summary>
    /// What the step just done has changed; null unless <see cref="KeepWeights"/> was called before it, and where penalties or clipping by parts
    /// have changed the gradient's direction.
    /// </summary>
    internal StepMeasurement? MeasureStep(in StepResult step)
    {
        if (keptBefore != step.Step || NextStep != step.Step + 1 || Model.Plan.Regularization.Count > 0 || !double.IsFinite(step.Loss) || !double.IsFinite(step.GradientNorm)
            || Model.Plan.Clipping is not (null or ClipByGlobalNorm { NormType: 2 } or ZClip or AutoClip) || !(step.ClippedNorm > 0))
        {
            return null;
        }
        double slope = Slope() * (step.GradientNorm / step.ClippedNorm), loss = Math.Abs(step.Loss);
        if (!double.IsFinite(slope) || slope == 0 || loss == 0)
        {
            return null;
        }
        double wanted = Resolved * loss / Math.Abs(slope);
        double factor = wanted <= 1 ? 1 : Math.Pow(10, Math.Ceiling(Math.Log10(wanted)));
        return factor > LongestFactor ? null : new StepMeasurement(slope, LossAlong(step.Step, factor) - step.Loss, step.Loss, factor);
    }

    /// <summary>Mean loss over the rows of a step with the present weights; the random numbers are that step's.</summary>
    internal double LossOf(long step, bool training)
    {
        using FlushToZero flush = BeginFlush();
        ReadOnlySpan<int> rows = order.Rows(step);
        int parts = accumulator is null ? 1 : Parts(rows.Length);
        double whole = feed.Weight(rows), loss = 0;
        for (int part = 0, start = 0; part < parts; part++)
        {
            int end = (int)((long)rows.Length * (part + 1) / parts);
            ReadOnlySpan<int> micro = rows[start..end];
            ExecutionPlan<float> plan = ForwardPlan(micro.Length);
            feed.Fill(plan, micro);
            plan.Run(training, Model.Plan.Seed, accumulator is null ? step : step * Model.Plan.Accumulate + part, keepStatistics: true);
            double weight = feed.Weight(micro);
            loss += weight == 0 ? 0 : weight / whole * plan.Real(Graph.Loss).Span[0];
            start = end;
        }
        return loss;
    }

    /// <summary>How far running statistics are from those of a step's rows, with the present weights; empty without batch normalization.</summary>
    internal IReadOnlyList<StatisticsGap> MeasureStatistics(long step)
    {
        Node[] layers = [.. NormalizedLayers];
        if (layers.Length == 0)
        {
            return [];
        }
        LossOf(step, training: true);
        ReadOnlySpan<int> rows = order.Rows(step);
        int parts = accumulator is null ? 1 : Parts(rows.Length);
        ExecutionPlan<float> plan = ForwardPlan(rows.Length - (int)((long)rows.Length * (parts - 1) / parts));
        return [.. layers.Select(layer => Gap(layer, plan))];
    }

    /// <summary>Rows of each of the two parts of a step's batch whose gradients are compared.</summary>
    internal int HalfOf(long step) => Math.Min(order.Rows(step).Length / 2, Model.Plan.MicroBatch(Data.Training.Count));

    /// <summary>
    /// The gradients of the two halves of a step's rows, with the present weights and without penalties; empty for a batch of one row. The
    /// gradients of the step itself are put back.
    /// </summary>
    internal IReadOnlyList<GradientHalves> MeasureHalves(long step)
    {
        int half = HalfOf(step);
        if (half < (NormalizedLayers.Any() ? 2 : 1))
        {
            return [];
        }
        using FlushToZero flush = BeginFlush();
        float[] before = Parameters.Gradients.Span.ToArray();
        float[] first = GradientsOf(step, 0, half), second = GradientsOf(step, half, half);
        before.CopyTo(Parameters.Gradients.Span);
        return [.. Parameters.Slices.Where(slice => Graph.ParameterGradients.ContainsKey(slice.Name)).Select(slice => Compare(slice, first, second))];
    }

    /// <summary>What the network says of the first rows of a data set in evaluation mode: (rows, output's elements).</summary>
    internal float[] Predict(DataSet data, int rows) => evaluator.Predict(data, rows);

    /// <summary>The optimizer's state of one parameter.</summary>
    internal ReadOnlySpan<float> OptimizerStateOf(ParameterSlice parameter, int state) => Optimizer.StateOf(parameter, state);

    private static GradientHalves Compare(ParameterSlice slice, float[] first, float[] second)
    {
        double dot = 0, difference = 0;
        for (int i = slice.Offset; i < slice.Offset + slice.Length; i++)
        {
            double a = first[i], b = second[i];
            dot += a * b;
            difference += (a - b) * (a - b);
        }
        return new GradientHalves(slice, dot, difference);
    }

    private float[] GradientsOf(long step, int start, int count)
    {
        if (!halfPlans.TryGetValue(count, out ExecutionPlan<float>? plan))
        {
            plan = ExecutionPlan<float>.Create(Graph.Graph, count, Parameters, Pool, [Graph.Loss], Graph.ParameterGradients);
            halfPlans.Add(count, plan);
        }
        feed.Fill(plan, order.Rows(step).Slice(start, count));
        plan.Run(training: true, Model.Plan.Seed, step, keepStatistics: true);
        return Parameters.Gradients.Span.ToArray();
    }

    /// <summary>g·Δw, in double: of a small step little more than the last digits of the weights has changed.</summary>
    private double Slope()
    {
        ReadOnlySpan<float> gradients = Parameters.Gradients.Span, values = Parameters.Values.Span;
        double sum = 0;
        foreach (ParameterSlice slice in Optimizer.Slices)
        {
            for (int i = slice.Offset; i < slice.Offset + slice.Length; i++)
            {
                sum += gradients[i] * ((double)values[i] - keptWeights[i]);
            }
        }
        return sum;
    }

    /// <summary>The loss at kept + factor · (present − kept) weights.</summary>
    private double LossAlong(long step, double factor)
    {
        if (factor == 1)
        {
            return LossOf(step, training: true);
        }
        presentWeights = presentWeights.Length == 0 ? new float[keptWeights.Length] : presentWeights;
        Span<float> values = Parameters.Values.Span;
        values.CopyTo(presentWeights);
        try
        {
            foreach (ParameterSlice slice in Optimizer.Slices)
            {
                for (int i = slice.Offset; i < slice.Offset + slice.Length; i++)
                {
                    values[i] = (float)(keptWeights[i] + factor * ((double)presentWeights[i] - keptWeights[i]));
                }
            }
            return LossOf(step, training: true);
        }
        finally
        {
            presentWeights.CopyTo(values);
        }
    }

    private StatisticsGap Gap(Node layer, ExecutionPlan<float> plan)
    {
        BatchNorm op = (BatchNorm)layer.Op;
        // Mean and 1/√(variance + eps) of the batch; the running ones are the layer's last two inputs.
        Span<float> means = plan.Real(new Value(layer, 1)), inverses = plan.Real(new Value(layer, 2));
        Span<float> runningMeans = Running(layer.Inputs.Length - 2), runningVariances = Running(layer.Inputs.Length - 1);
        double[] shifts = new double[means.Length], ratios = new double[means.Length];
        for (int i = 0; i < means.Length; i++)
        {
            double variance = 1 / ((double)inverses[i] * inverses[i]);
            shifts[i] = Math.Abs(runningMeans[i] - means[i]) / Math.Sqrt(variance);
            ratios[i] = Math.Abs(Math.Log((runningVariances[i] + op.Eps) / variance));
        }
        Array.Sort(shifts);
        Array.Sort(ratios);
        return new StatisticsGap(layer, shifts[shifts.Length / 2], ratios[ratios.Length / 2]);

        Span<float> Running(int input) => Parameters.Value(Parameters.Find(layer.Inputs[input].Node.Name)).Span;
    }

    /// <summary>Forward only: it needs little memory beside the steps' own plan.</summary>
    private ExecutionPlan<float> ForwardPlan(int rows)
    {
        if (!forwardPlans.TryGetValue(rows, out ExecutionPlan<float>? plan))
        {
            Value[] wanted = [Graph.Loss, .. NormalizedLayers.SelectMany(layer => new[] { new Value(layer, 1), new Value(layer, 2) })];
            plan = ExecutionPlan<float>.Create(Graph.Graph, rows, Parameters, Pool, wanted);
            forwardPlans.Add(rows, plan);
        }
        return plan;
    }
}
