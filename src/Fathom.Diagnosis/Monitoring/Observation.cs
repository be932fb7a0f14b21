using Fathom.Compute;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>What rules see at one step: the network, what theory expects, and what has been measured so far.</summary>
public sealed class Observation
{
    private readonly TrainingSession session;
    private PropagationPrediction? matched;

    internal Observation(TrainingSession session, PropagationPrediction? prediction, IReadOnlyList<LayerTrace> layers)
    {
        this.session = session;
        ExecutionOrder = InOrderOfExecution(session);
        (Prediction, Layers) = (prediction, layers);
        States = StateTrace.Of(session.Probes);
        Interior = new Interior(session, layers);
        HasMaxout = Network.Nodes.Any(node => node.Op is Graphs.Ops.Maxout);
        ConstantLoss = Monitoring.ConstantLoss.Of(session.Model.Plan.Loss, session.Data.Training, session.ClassWeights);
    }

    public ModelDefinition Model => session.Model;

    public Graph Network => session.Model.Graph;

    /// <summary>What theory expects at initialisation; null if it was not asked.</summary>
    public PropagationPrediction? Prediction { get; }

    /// <summary>What theory expects of the same network with weights that suit each layer; null if it cannot be drawn so. Made when first asked for.</summary>
    internal PropagationPrediction? Matched => matched ??= Prediction is null || MatchedInitialization.TryRewrite(session.Model) is not { } model ? null : WatchedRun.Predict(model, session.Data.Training);

    /// <summary>Layers with weights, by depth: the first is at the least depth, the last at the greatest.</summary>
    public IReadOnlyList<LayerTrace> Layers { get; }

    /// <summary>Recurrent layers, in graph order.</summary>
    public IReadOnlyList<StateTrace> RecurrentLayers => States;

    /// <summary>Gates, attention and dying units, looked at now and then.</summary>
    public Interior Interior { get; }

    /// <summary>The step just done.</summary>
    public StepResult Step { get; internal set; }

    public long TotalSteps => session.TotalSteps;

    /// <summary>Loss of step 0.</summary>
    public double FirstLoss { get; internal set; } = double.NaN;

    /// <summary>Smoothed loss.</summary>
    public double Loss { get; internal set; } = double.NaN;

    /// <summary>The smoothed loss over the run so far.</summary>
    public LossHistory Losses { get; } = new();

    /// <summary>Share of the run's steps that are done, in (0, 1].</summary>
    public double Progress => (Step.Step + 1.0) / Math.Max(1, TotalSteps);

    /// <summary>A constant prediction's loss, or, where that is not known, the first.</summary>
    public double ReferenceLoss => double.IsNaN(ConstantLoss) ? FirstLoss : ConstantLoss;

    /// <summary>log10 of ‖Δw‖/‖w‖ of the layer in the middle; NaN if no layer is measured.</summary>
    public double TypicalLogUpdate => Median(layer => layer.LogRelativeUpdate);

    /// <summary>log10 of the growth of weights since the start, of the layer in the middle; NaN if all began at 0.</summary>
    public double TypicalLogGrowth => Median(layer => layer.LogGrowth);

    /// <summary>Findings that hold now.</summary>
    public IReadOnlyList<Finding> Open { get; internal set; } = [];

    /// <summary>Loss of the best constant prediction, which a network reaches without using its inputs; NaN if not known.</summary>
    public double ConstantLoss { get; }

    /// <summary>
    /// The loss has halved, and is well below that of a constant prediction: what a rule measures may be unusual, but it
    /// does not keep the network from learning.
    /// </summary>
    public bool LossFalls => Loss < 0.5 * FirstLoss && !(Loss > 0.8 * ConstantLoss);

    /// <summary>After 2 % of the run or more, the loss is where it was at the start, or no better than a constant prediction's.</summary>
    public bool LossStands => Step.Step >= 0.02 * TotalSteps && (!(Loss <= 0.9 * FirstLoss) || Loss > 0.9 * ConstantLoss);

    /// <summary>
    /// After a tenth of the run the loss is above 80 % of a constant prediction's (of its start where that is not known), after two
    /// fifths above 55 %, and it is above 78 % of what it was at half of the steps so far: the measure of FTH032.
    /// </summary>
    public bool Stalls => Progress >= 0.1 && Loss > (Progress < 0.4 ? 0.8 : 0.55) * ReferenceLoss && Losses.Since(0.5) > 0.78;

    public IReadOnlyList<Probe> Probes => session.Probes;

    /// <summary>This step's raw statistics, in the order of <see cref="Probes"/>.</summary>
    public ReadOnlySpan<TensorStatistics> Statistics => session.Watch!.Statistics;

    /// <summary>
    /// Indices of <see cref="Probes"/> in the order in which a step makes their tensors: parameters as the step finds
    /// them, then activations and gradients as the plan runs their nodes, then updates.
    /// </summary>
    internal int[] ExecutionOrder { get; }

    /// <summary>The same as an array, to go through without allocating.</summary>
    internal StateTrace[] States { get; }

    /// <summary>A layer's weights as they are now: rows of one unit each; empty if they are not (units, …).</summary>
    internal ReadOnlySpan<float> WeightsOf(LayerTrace layer)
    {
        ParameterSlice slice = session.Parameters.Find(layer.Layer.Parameters.First(parameter => parameter.Outputs[0].Shape.Rank >= 2).Name);
        return session.Parameters.Value(slice).Span;
    }

    /// <summary>The network's input.</summary>
    internal Value Input => session.Graph.Input;

    internal string InputName => Input.Node.Name;

    /// <summary>How large the numbers of this step's batch are; for when something is wrong.</summary>
    internal BatchRange MeasureBatch() => BatchRange.Of(session, Step.Step);

    /// <summary>Units that no sample activates, by elementwise layer, and linear units of maxout; measured at inspections when asked for.</summary>
    public IReadOnlyList<UnitActivity> Units() => session.MeasureUnits(session.Data.Training);

    /// <summary>log10 of the growth of a layer's weights since the start; NaN for a node without any.</summary>
    internal double LogGrowthOf(Node layer) => Layers.FirstOrDefault(other => other.Layer == layer)?.LogGrowth ?? double.NaN;

    /// <summary>Whether the network has maxout layers.</summary>
    internal bool HasMaxout { get; }

    /// <summary>Slope and fit of log10 gradient norm over depth.</summary>
    public DepthFit GradientOverDepth => DepthFit.Of(Layers);

    private double Median(Func<LayerTrace, double> of)
    {
        double[] numbers = [.. Layers.Select(of).Where(double.IsFinite).Order()];
        return numbers.Length == 0 ? double.NaN : numbers[numbers.Length / 2];
    }

    /// <summary>A plan keeps the graph's own order of nodes, so that a node's place there says when it runs.</summary>
    private static int[] InOrderOfExecution(TrainingSession session)
    {
        Dictionary<Node, int> places = new(ReferenceEqualityComparer.Instance);
        foreach (Node node in session.Graph.Graph.Nodes)
        {
            places.Add(node, places.Count);
        }
        return
        [
            .. Enumerable.Range(0, session.Probes.Count)
                .OrderBy(index => session.Probes[index] switch
                {
                    { Kind: ProbeKind.Parameter } => -1,
                    { Value: { } value } => places[value.Node],
                    _ => int.MaxValue,
                })
                // One gradient that an addition passes on to several layers reached the last of them first, as the last
                // time step of a recurrent layer is reached first.
                .ThenBy(index => session.Probes[index].Kind is ProbeKind.ActivationGradient or ProbeKind.StateGradient ? -index : index),
        ];
    }
}

/// <summary>
/// A straight line through log10 ‖∂L/∂u‖ over depth by least squares.
/// </summary>
/// <param name="DecadesPerLayer">Slope towards the output: positive if gradients vanish towards the input.</param>
/// <param name="Decades">log10 of the norm at the greatest depth over that at the least, by the line.</param>
/// <param name="Fit">Coefficient of determination.</param>
/// <param name="Layers">Layers that took part.</param>
public readonly record struct DepthFit(double DecadesPerLayer, double Decades, double Fit, int Layers)
{
    /// <summary>Factor by which the gradient's norm changes per layer on its way back.</summary>
    public double FactorPerLayer => Math.Pow(10, -DecadesPerLayer);

    public static DepthFit Of(IReadOnlyList<LayerTrace> layers)
    {
        (double X, double Y)[] points = [.. layers.Where(layer => double.IsFinite(layer.LogGradient)).Select(layer => ((double)layer.Depth, layer.LogGradient))];
        if (points.Length < 3)
        {
            return new DepthFit(0, 0, 0, points.Length);
        }
        double meanX = points.Average(point => point.X);
        double meanY = points.Average(point => point.Y);
        double xx = points.Sum(point => (point.X - meanX) * (point.X - meanX));
        double xy = points.Sum(point => (point.X - meanX) * (point.Y - meanY));
        double yy = points.Sum(point => (point.Y - meanY) * (point.Y - meanY));
        double slope = xx > 0 ? xy / xx : 0;
        double fit = xx > 0 && yy > 0 ? xy * xy / (xx * yy) : 1;
        return new DepthFit(slope, slope * (points.Max(point => point.X) - points.Min(point => point.X)), fit, points.Length);
    }
}
