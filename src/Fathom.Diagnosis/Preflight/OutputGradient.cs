using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// The loss's gradient by the network's output at step 1: the unit in which theory gives all other gradients. The output is
/// drawn as theory expects it, Gaussian before the last function, and the loss's own kernels are run on it with targets of
/// the data. For cross-entropy over K classes of an undecided network that gives √((1 − 1/K)/K)/B, for a squared error
/// 2 √(E[y²] + E[t²] − 2 E[yt])/(B·width).
/// </summary>
/// <param name="Log10Rms">log10 of the RMS of an element, the loss being a mean over <paramref name="Batch"/> samples.</param>
/// <param name="Correlation">Mean correlation of two samples' gradients, which imbalanced classes raise.</param>
/// <param name="Batch">Samples of a batch.</param>
public sealed record OutputGradient(double Log10Rms, double Correlation, int Batch)
{
    private const int MostRows = 256, Draws = 16;
    private const long MostElements = 1 << 22;

    /// <summary>Draws the gradient; null if the output is not one that theory knows, or has no elements.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prediction">What theory says of its network.</param>
    /// <param name="data">Training data, for the targets; null for random ones.</param>
    public static OutputGradient? Of(ModelDefinition model, PropagationPrediction prediction, DataSet? data)
    {
        Value output = model.Graph.Output;
        List<Node> tail = [];
        // What a softmax or sigmoid gives is no Gaussian, what enters it may be one.
        while (output.Node.Op is Softmax or Activation && output.Node.Inputs.Length == 1)
        {
            tail.Insert(0, output.Node);
            output = output.Node.Inputs[0];
        }
        Moments moments = prediction.Forward(output);
        if (!double.IsFinite(moments.SecondMoment) || output.Type.Kind != ElementKind.Real || !output.Shape.HasBatch)
        {
            return null;
        }
        int batch = prediction.Options.BatchSize, rows = (int)Math.Clamp(MostElements / Math.Max(1, output.Shape.ElementsPerSample), 2, MostRows);
        DataSet targets = PreflightBatch.Targets(model, data, rows);
        return new Run(model, output, tail, targets).Measure(moments, batch);
    }

    /// <summary>The end of the network alone, with its loss.</summary>
    private sealed class Run
    {
        private readonly Loss loss;
        private readonly DataSet targets;
        private readonly Value logits, target, gradient;
        private readonly Graph graph;
        private readonly int width;

        public Run(ModelDefinition model, Value output, List<Node> tail, DataSet targets)
        {
            (loss, this.targets) = (model.Plan.Loss, targets);
            GraphBuilder builder = new();
            logits = builder.Input("⟨output⟩", output.Type);
            Value end = logits;
            foreach (Node node in tail)
            {
                end = builder.Add(node.Name, node.Op, [end]);
            }
            width = checked((int)end.Shape.ElementsPerSample);
            target = builder.Input(TrainingGraph.TargetName, loss.TargetType(end));
            IReadOnlyList<double>? weights = model.Plan.ClassWeights?.For(targets, TrainingGraph.Classes(model.Graph));
            Value scalar = weights is null ? loss.Attach(builder, end, target) : loss.Attach(builder, end, target, weights);
            DifferentiatedGraph differentiated = Autodiff.Differentiate(builder.Build(end, scalar), scalar, [logits, end]);
            (graph, gradient) = (differentiated.Graph, differentiated.Gradients[end]);
        }

        public OutputGradient Measure(Moments moments, int batch)
        {
            int rows = targets.Count;
            using ParameterStore<float> store = new(graph);
            using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(graph, rows, store, WorkerPool.Single, [gradient]);
            int[] order = [.. Enumerable.Range(0, rows)];
            double square = 0, pairs = 0;
            for (int draw = 0; draw < Draws; draw++)
            {
                Fill(plan.Real(logits).Span, rows, moments, new RandomKey(1, RandomKey.StreamOf("output"), (ulong)draw));
                if (loss.Target == TargetForm.Index)
                {
                    targets.CopyLabels(order, plan.Index(target).Span);
                }
                else
                {
                    BatchTargets.Copy(targets, loss, width, order, plan.Real(target).Span);
                }
                plan.Run(training: true, seed: 1, draw);
                DataMoments measured = DataMoments.Measure(plan.Real(gradient).Span, width);
                square += measured.SecondMoment / Draws;
                pairs += measured.SecondMoment * measured.Correlation / Draws;
            }
            return new OutputGradient(0.5 * Math.Log10(square) + Math.Log10((double)rows / batch), square > 0 ? pairs / square : 0, batch);
        }

        /// <summary>x = mean + √shared · s + √own · z, s being common to all samples.</summary>
        private static void Fill(Span<float> target, int rows, Moments moments, RandomKey key)
        {
            RandomStream random = new(key);
            int width = target.Length / rows;
            double shared = Math.Clamp(moments.SecondMoment * moments.Correlation - moments.Mean * moments.Mean, 0, moments.Variance);
            double[] common = new double[width];
            foreach (ref double x in common.AsSpan())
            {
                x = moments.Mean + Math.Sqrt(shared) * random.NextGaussian();
            }
            double own = Math.Sqrt(moments.Variance - shared);
            for (int i = 0; i < target.Length; i++)
            {
                target[i] = (float)Math.Clamp(common[i % width] + own * random.NextGaussian(), -1e30, 1e30);
            }
        }
    }
}
