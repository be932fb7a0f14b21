using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>What rules see at one step: the network, what theory expects, and what has been measured so far.</summary>
public sealed class Observation
{
    private readonly TrainingSession session;
    private double? neighbourSkill;
    private double largestRate;

    internal Observation(TrainingSession session, PropagationPrediction? prediction, IReadOnlyList<LayerTrace> layers)
    {
        this.session = session;
        ExecutionOrder = InOrderOfExecution(session);
        (Prediction, Layers) = (prediction, layers);
        Noise = new NoiseTrace(layers.Count);
        Optimizer = OptimizerView.Of(session.Model.Plan.Optimizer);
        States = StateTrace.Of(session.Probes);
        Interior = new Interior(session, layers);
        RowLooks = new RowLooks(this);
        HasMaxout = Network.Nodes.Any(node => node.Op is Graphs.Ops.Maxout);
        Ranges = new RangeTrace(session.Probes);
        ConstantLoss = Monitoring.ConstantLoss.Of(session.Model.Plan.Loss, session.Data.Training, session.ClassWeights);
        LeastLoss = Monitoring.LeastLoss.Of(session.Model.Graph, session.Model.Plan.Loss, session.Data.Training);
    }

    public ModelDefinition Model => session.Model;

    public Graph Network => session.Model.Graph;

    /// <summary>What theory expects at initialisation; null if it was not asked.</summary>
    public PropagationPrediction? Prediction { get; }

    /// <summary>Layers with weights, by depth: the first is at the least depth, the last at the greatest.</summary>
    public IReadOnlyList<LayerTrace> Layers { get; }

    /// <summary>Recurrent layers, in graph order.</summary>
    public IReadOnlyList<StateTrace> RecurrentLayers => States;

    /// <summary>Gates, attention and dying units, looked at now and then.</summary>
    public Interior Interior { get; }

    /// <summary>How the largest magnitudes change.</summary>
    internal RangeTrace Ranges { get; }

    /// <summary>The step just done.</summary>
    public StepResult Step { get; internal set; }

    public long TotalSteps => session.TotalSteps;

    /// <summary>Loss of step 0.</summary>
    public double FirstLoss { get; internal set; } = double.NaN;

    /// <summary>Smoothed loss.</summary>
    public double Loss { get; internal set; } = double.NaN;

    /// <summary>The smoothed loss over the run so far.</summary>
    public LossHistory Losses { get; } = new();

    /// <summary>Spikes of the loss and of the gradient's norm.</summary>
    internal SpikeTrace Spikes { get; } = new();

    /// <summary>How often and how hard gradients were clipped.</summary>
    internal ClipTrace Clipping { get; } = new();

    /// <summary>Training and validation loss by epoch.</summary>
    internal EpochTrace Epochs { get; } = new();

    /// <summary>What steps do to the loss of their own batch.</summary>
    internal CurvatureTrace Curvature { get; } = new();

    /// <summary>The gradient's noise, as far as a rule has asked for it.</summary>
    internal NoiseTrace Noise { get; }

    /// <summary>What the optimizer remembers; null if it is not known.</summary>
    internal OptimizerView? Optimizer { get; }

    /// <summary>
    /// ΔwᵀHΔw / −g·Δw of recent steps, by one more forward pass on their own batch: for gradient descent rate × curvature. Above 2 steps overshoot
    /// so far that they raise the loss of their own batch; at 1/k the loss would be lowest after a step k times as long. NaN if not measured.
    /// </summary>
    public double StepSharpness => Curvature.Sharpness;

    /// <summary>
    /// Whether what steps do to the loss of their own batch speaks against steps that are too long, or too short: the loss would be lowest after a step
    /// more than three times as long, or less than ten times. Of the 60 networks below 590 of bench/corpus that a larger rate heals all are below 0.1
    /// where they are measured; of those that a smaller rate heals and whose units are alive, nine in ten are above 0.3.
    /// </summary>
    internal bool CouldBeLonger => StepSharpness < 0.3;

    /// <inheritdoc cref="CouldBeLonger"/>
    internal bool IsNearlyLongEnough => StepSharpness > 0.1;

    /// <summary>Whether single steps have changed half of the layers by a tenth of their weights or more: what came before short steps were long ones.</summary>
    internal bool WasThrown => TypicalLogLargestUpdate > -1;

    /// <summary>The learning rate over the largest that it has been: what a schedule has left of it.</summary>
    internal double RateLeft => largestRate > 0 ? Step.LearningRate / largestRate : 1;

    /// <summary>Whether a schedule has made the steps short: it has left less than a tenth of the rate.</summary>
    internal bool IsRateSpent => RateLeft < 0.1;

    /// <summary>Share of recent steps that raised the loss of their own batch; NaN if not measured.</summary>
    public double RaisedShare => Curvature.RaisedShare;

    /// <summary>The loss has hardly fallen since half of the steps so far, and much is left to learn: more than a fifth of a constant prediction's.</summary>
    internal bool HasStopped => Losses.Since(0.5) > 0.9 && Loss > 0.2 * ReferenceLoss;

    /// <summary>Share of the run's steps that are done, in (0, 1].</summary>
    public double Progress => (Step.Step + 1.0) / Math.Max(1, TotalSteps);

    /// <summary>A constant prediction's loss, or, where that is not known, the first.</summary>
    public double ReferenceLoss => double.IsNaN(ConstantLoss) ? FirstLoss : ConstantLoss;

    /// <summary>Loss that remains where every class is right, since the output's function keeps the network from being surer; 0 if none does.</summary>
    public double LeastLoss { get; }

    /// <summary>A loss as the share of what there is to learn that is not yet learnt: 1 for <see cref="ReferenceLoss"/>, 0 for <see cref="LeastLoss"/>.</summary>
    public double Unlearnt(double loss) => (loss - LeastLoss) / Math.Max(1e-30, ReferenceLoss - LeastLoss);

    /// <summary>
    /// What will be unlearnt at the run's end if the loss goes on falling by the same factor in the same time as since half
    /// of the steps so far; what is unlearnt now if it rises.
    /// </summary>
    public double UnlearntAtTheEnd => UnlearntAtTheEndFrom(Losses.Now);

    /// <summary>The same, with another loss taken for the present one.</summary>
    internal double UnlearntAtTheEndFrom(double loss)
    {
        double now = Unlearnt(loss), half = Unlearnt(Losses.Half);
        return !(now > 0) || !(half > now) ? now : now * Math.Pow(now / half, 2 * (1 - Progress) / Progress);
    }

    /// <summary>log10 of ‖Δw‖/‖w‖ of the layer in the middle; NaN if no layer is measured.</summary>
    public double TypicalLogUpdate => Median(layer => layer.LogRelativeUpdate);

    /// <summary>log10 of the growth of weights since the start, of the layer in the middle; NaN if all began at 0.</summary>
    public double TypicalLogGrowth => Median(layer => layer.LogGrowth);

    /// <summary>Decades by which theory expects the gradient's norm to fall from the last to the first layer at the start; 0 if it was not asked or has no number.</summary>
    public double ExpectedDecades
    {
        get
        {
            double decades = Prediction is null || Layers.Count == 0 ? 0
                : Prediction.RelativeGradientNorm(Layers[^1].Layer.Output) - Prediction.RelativeGradientNorm(Layers[0].Layer.Output);
            return double.IsFinite(decades) ? decades : 0;
        }
    }

    /// <summary>Whether the look at model and data before training has found an error: then less must be seen to be certain.</summary>
    public bool IsForewarned { get; internal set; }

    /// <summary>Whether the look before training has found initial weights of the wrong scale or biases far from 0: FTH034, FTH025.</summary>
    internal bool HasOddStart { get; set; }

    /// <summary>Whether it has found dropout too high, FTH024: then the loss is high in training, whatever the network has learnt.</summary>
    internal bool DropsMuch { get; set; }

    /// <summary>Share of what there is to learn that the nearest rows leave open, from 0 to 1; 1 where they are not asked, or know nothing.</summary>
    internal double LeftByNeighbours => NeighbourSkill is > 0 and <= 1 ? 1 - NeighbourSkill : 1;

    /// <summary>log10 of the largest ‖Δw‖/‖w‖ of the layer in the middle.</summary>
    internal double TypicalLogLargestUpdate => Median(layer => layer.LogLargestUpdate);

    /// <summary>Share of what there is to learn that the nearest rows' targets tell; found out once, when first asked for. 0 where inputs are indices, which have no distance.</summary>
    public double NeighbourSkill => neighbourSkill ??= Input.Type.Kind == ElementKind.Index ? 0 : NeighbourGuess.Skill(session.Data.Training);

    /// <summary>No layer gets any gradient now.</summary>
    internal bool IsSilent => Layers.Count > 0 && Layers.All(layer => layer.LogGradient <= LayerTrace.Floor + 0.5);

    /// <summary>Findings that hold now.</summary>
    public IReadOnlyList<Finding> Open { get; internal set; } = [];

    /// <summary>Loss of the best constant prediction, which a network reaches without using its inputs; NaN if not known.</summary>
    public double ConstantLoss { get; }

    /// <summary>
    /// The loss has halved, and is well below that of a constant prediction: what a rule measures may be unusual, but it
    /// does not keep the network from learning.
    /// </summary>
    public bool LossFalls => Loss - LeastLoss < 0.5 * (FirstLoss - LeastLoss) && !(Loss - LeastLoss > 0.8 * (ConstantLoss - LeastLoss));

    /// <summary>
    /// <see cref="LossFalls"/> for a rule whose finding's severity hangs on it: with a gap between the two verdicts, so that a loss that moves up and down
    /// about the threshold does not turn an error into a warning and back.
    /// </summary>
    internal bool LossFallsFor(Rules.Rule rule)
    {
        double gap = Open.FirstOrDefault(finding => finding.Rule == rule.Id)?.Severity switch { Severity.Error => -0.1, null => 0, _ => 0.1 };
        return Loss - LeastLoss < (0.5 + gap) * (FirstLoss - LeastLoss) && !(Loss - LeastLoss > (0.8 + gap) * (ConstantLoss - LeastLoss));
    }

    /// <summary>After 2 % of the run or more, the loss is where it was at the start, or no better than a constant prediction's.</summary>
    public bool LossStands => Step.Step >= 0.02 * TotalSteps && (!(Loss - LeastLoss <= 0.9 * (FirstLoss - LeastLoss)) || Loss - LeastLoss > 0.9 * (ConstantLoss - LeastLoss));

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

    /// <summary>A layer's biases as they are now; empty if it has none.</summary>
    internal ReadOnlySpan<float> BiasesOf(LayerTrace layer) =>
        layer.Layer.Parameters.FirstOrDefault(parameter => parameter.Outputs[0].Shape.Rank == 1) is { } bias ? session.Parameters.Value(session.Parameters.Find(bias.Name)).Span : [];

    /// <summary>The optimizer's state as it is now.</summary>
    internal Training.Optimizers.OptimizerState<float> OptimizerMemory => session.Optimizer;

    /// <summary>A parameter's place by its name.</summary>
    internal ParameterSlice SliceOf(string parameter) => session.Parameters.Find(parameter);

    /// <summary>The network's input.</summary>
    internal Value Input => session.Graph.Input;

    internal string InputName => Input.Node.Name;

    /// <summary>How large the numbers of this step's batch are; for when something is wrong.</summary>
    internal BatchRange MeasureBatch() => BatchRange.Of(session, Step.Step);

    /// <summary>Takes <see cref="Step"/> into what is kept of the run as a whole.</summary>
    internal void TakeStep()
    {
        largestRate = Math.Max(largestRate, Step.LearningRate);
        Spikes.Add(Step, ReferenceLoss);
        Clipping.Add(Step);
        Epochs.Add(Step);
    }

    /// <summary>Measures what the step just done has changed, where it can be measured.</summary>
    internal void MeasureStep()
    {
        if (session.MeasureStep(Step) is { } measured)
        {
            Curvature.Add(measured);
        }
    }

    /// <summary>The mean squared gradients of an adaptive optimizer; null for others.</summary>
    internal SecondMoments? MeasureSecondMoments() => Optimizer is { IsAdaptive: true } view ? SecondMoments.Measure(session, view, Layers) : null;

    /// <summary>Takes the noise of this step's batch into <see cref="Noise"/>: the work of one step.</summary>
    internal void MeasureNoise()
    {
        IReadOnlyList<GradientHalves> halves = session.MeasureHalves(Step.Step);
        if (halves.Count == 0)
        {
            return;
        }
        double[] dots = new double[Layers.Count], differences = new double[Layers.Count];
        foreach (GradientHalves half in halves)
        {
            int layer = Enumerable.Range(0, Layers.Count).FirstOrDefault(i => Layers[i].Weight == half.Parameter.Name, -1);
            if (layer >= 0)
            {
                (dots[layer], differences[layer]) = (half.Dot, half.Difference);
            }
        }
        Noise.Add(dots, differences, session.HalfOf(Step.Step));
    }

    /// <summary>Root mean square of the step in the layer in the middle, over the learning rate: 1 for steps by the gradient's sign.</summary>
    internal double StepOverRate() => Math.Pow(10, Median(layer => layer.LastLogStep)) / Step.LearningRate;

    /// <summary>
    /// By how much the gradient's noise holds the loss up, in its units: Σ ηₗ tr Σₗ / (4B) over the layers, ηₗ the rate at which a gradient moves the layer
    /// in the end. In a valley of curvature H noise of covariance ηΣ/B keeps the weights at a covariance C with HC + CH = ηΣ/B, so that
    /// tr(HC)/2 = η tr Σ/(4B) (Mandt et al. 2017, equation 8, at small rates).
    /// </summary>
    internal double LossHeldUpByNoise()
    {
        double momentum = Optimizer?.Momentum ?? 0, sum = 0;
        // Noise does not add up over the steps that momentum spreads it over, but what a gradient does in the end, does.
        double spread = Math.Sqrt((1 + momentum) / (1 - momentum));
        for (int i = 0; i < Layers.Count; i++)
        {
            double rate = Layers[i].RelativeUpdate * Layers[i].WeightNorm / Math.Pow(10, Layers[i].LogWeightGradient) * spread;
            sum += double.IsFinite(rate) ? rate * Noise.Variances[i] / (4.0 * Rows.Batch) : 0;
        }
        return sum;
    }

    /// <summary>What the network leaves of its rows, beside what the nearest ones leave.</summary>
    internal RowLooks RowLooks { get; }

    /// <summary>How sure the network was of its training rows when a rule last looked.</summary>
    internal RowCertainty? Certainty { get; set; }

    /// <summary>Loss of this step's batch as evaluation sees it: with running statistics and without dropout.</summary>
    internal double EvaluationLoss() => session.LossOf(Step.Step, training: false);

    /// <summary>Loss of this step's batch with the present weights, as training sees it.</summary>
    internal double TrainingLoss() => session.LossOf(Step.Step, training: true);

    /// <summary>How far running statistics are from those of this step's batch.</summary>
    internal IReadOnlyList<StatisticsGap> MeasureStatistics() => session.MeasureStatistics(Step.Step);

    /// <summary>Rows that a step sees, and rows there are.</summary>
    internal (int Batch, int All) Rows => (Math.Min(Model.Plan.BatchSize, session.Data.Training.Count), session.Data.Training.Count);

    /// <summary>How often each row has been seen so far.</summary>
    internal double Passes => (Step.Step + 1.0) * Rows.Batch / Math.Max(1, Rows.All);

    /// <summary>Training rows of each class; empty for real targets.</summary>
    internal IReadOnlyList<int> ClassCounts => session.Data.Training.Statistics.ClassCounts;

    /// <summary>The rows that it trains on.</summary>
    internal Fathom.Training.Data.DataSet TrainingData => session.Data.Training;

    /// <summary>The rows that it is evaluated on.</summary>
    internal Fathom.Training.Data.DataSet ValidationData => session.Data.Validation;

    /// <summary>Whether rows have a distance: inputs that are indices have none.</summary>
    internal bool HasDistance => Input.Type.Kind != ElementKind.Index;

    /// <summary>What the network says of each row of a data set, in evaluation mode.</summary>
    internal float[] PredictAll(Fathom.Training.Data.DataSet data) => session.Predict(data, data.Count);

    /// <summary>Predictions for the first training rows, and the rows.</summary>
    internal (float[] Predictions, Fathom.Training.Data.DataSet Data) Predict(int rows) => (session.Predict(session.Data.Training, rows), session.Data.Training);

    /// <summary>What is kept of the run as a whole, as numbers, for <see cref="RestoreRun"/>.</summary>
    internal IEnumerable<(string Name, IEnumerable<double> Numbers)> CaptureRun() =>
        [("spikes", Spikes.Capture()), ("clipping", Clipping.Capture()), ("epochs", Epochs.Capture()), ("curvature", Curvature.Capture()), ("noise", Noise.Capture()), ("certainty", Certainty?.Capture() ?? []), ("rows", RowLooks.Capture()), ("rate", [largestRate])];

    /// <summary>Takes a part of it over; false if it is none.</summary>
    internal bool RestoreRun(string name, double[] state) => name switch
    {
        "spikes" => Spikes.Restore(state),
        "clipping" => Clipping.Restore(state),
        "epochs" => Epochs.Restore(state),
        "curvature" => Curvature.Restore(state),
        "noise" => Noise.Restore(state),
        "certainty" => state.Length == 0 || (Certainty = RowCertainty.Restore(state)) is not null,
        "rate" => state.Length == 1 && (largestRate = state[0]) >= 0,
        "rows" => RowLooks.Restore(state),
        _ => true, // of a later version
    };

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
