using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Training.Data;

namespace Fathom.Training.ForwardForward;

/// <summary>How an epoch of forward-forward training went.</summary>
/// <param name="Epoch">Epoch, counted from 0.</param>
/// <param name="LayerLosses">Mean log loss of each layer at telling real from made-up samples; ln 2 = 0.693 is a guess.</param>
/// <param name="ValidationAccuracy">Share of validation samples whose label the layers like best.</param>
public sealed record ForwardForwardEpoch(int Epoch, IReadOnlyList<double> LayerLosses, double ValidationAccuracy);

/// <summary>
/// The forward-forward algorithm as an experiment: training without back-propagation. The label is written into the
/// first inputs of a sample, the right one for a real sample and a wrong one for a made-up sample; each layer learns for
/// itself to be active for the real and quiet for the made-up; no gradient passes from layer to layer. To classify, every
/// label is tried and the one with the highest goodness is taken. Hinton (2022), sections 2 and 3.3.
/// </summary>
public sealed class ForwardForwardSession : IDisposable
{
    private const int EvaluationRows = 1024;

    private readonly LocalLayer[] layers;
    private readonly BatchOrder order;
    private readonly double[] losses;
    private readonly float mark;

    /// <param name="plan">The settings.</param>
    /// <param name="data">Training and validation data, with labels.</param>
    /// <param name="pool">Workers; not disposed by the session.</param>
    /// <exception cref="TrainingException">Plan or data do not fit.</exception>
    public ForwardForwardSession(ForwardForwardPlan plan, DataSplit data, WorkerPool pool)
    {
        plan.Validate();
        (Plan, Data) = (plan, data);
        RequireLabels(data.Training);
        order = new BatchOrder(data.Training.Count, Math.Min(plan.BatchSize, data.Training.Count), plan.Seed);
        float largest = Math.Abs(TensorPrimitives.MaxMagnitude(data.Training.Inputs));
        mark = largest > 0 ? largest : 1;
        layers = new LocalLayer[plan.Widths.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i] = new LocalLayer(i + 1, i == 0 ? data.Training.Features : plan.Widths[i - 1], plan.Widths[i], plan, pool);
        }
        losses = new double[layers.Length];
    }

    public ForwardForwardPlan Plan { get; }

    public DataSplit Data { get; }

    /// <summary>The step that comes next, counted from 0.</summary>
    public long NextStep { get; private set; }

    public int StepsPerEpoch => order.StepsPerEpoch;

    public bool Finished => NextStep >= (long)StepsPerEpoch * Plan.Epochs;

    /// <summary>Trains to the end of the epoch and classifies the validation data.</summary>
    public ForwardForwardEpoch TrainEpoch()
    {
        long epoch = NextStep / StepsPerEpoch;
        double[] sums = new double[layers.Length];
        int steps = 0;
        for (; NextStep / StepsPerEpoch == epoch; steps++)
        {
            TensorPrimitives.Add(sums, Step(), sums);
        }
        return new ForwardForwardEpoch((int)epoch, [.. sums.Select(sum => sum / steps)], Accuracy(Data.Validation));
    }

    /// <summary>One step of every layer, each on what the layer below now makes of the batch. Returns each layer's loss; valid until the next call.</summary>
    public ReadOnlySpan<double> Step()
    {
        using FlushToZero flush = FlushToZero.Begin();
        ReadOnlySpan<int> rows = order.Rows(NextStep);
        int count = 2 * rows.Length;
        FillPairs(rows, layers[0].Input(count, training: true));
        for (int i = 0; i < layers.Length; i++)
        {
            losses[i] = layers[i].Step(count, NextStep);
            if (i + 1 < layers.Length)
            {
                layers[i].Activity(count, training: true).CopyTo(layers[i + 1].Input(count, training: true));
            }
        }
        NextStep++;
        return losses;
    }

    /// <summary>The share of samples whose label the layers like best.</summary>
    public double Accuracy(DataSet data)
    {
        int[] classes = Classify(data);
        int right = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            right += classes[i] == data.Labels[i] ? 1 : 0;
        }
        return (double)right / classes.Length;
    }

    /// <summary>
    /// The label of the highest goodness for each sample, summed over the layers. With several, the first is left out, as
    /// in the paper: it sees the label itself.
    /// </summary>
    public int[] Classify(DataSet data)
    {
        RequireLabels(data);
        int classes = Data.Training.Classes;
        int[] best = new int[data.Count];
        float[] total = new float[Math.Max(1, EvaluationRows / classes) * classes];
        foreach (int[] rows in Enumerable.Range(0, data.Count).Chunk(total.Length / classes))
        {
            Span<float> goodness = total.AsSpan(0, rows.Length * classes);
            Rate(data, rows, goodness);
            for (int i = 0; i < rows.Length; i++)
            {
                best[rows[i]] = TensorPrimitives.IndexOfMax<float>(goodness.Slice(i * classes, classes));
            }
        }
        return best;
    }

    public void Dispose()
    {
        foreach (LocalLayer layer in layers)
        {
            layer.Dispose();
        }
    }

    private void Rate(DataSet data, int[] rows, Span<float> goodness)
    {
        int features = data.Features;
        int classes = Data.Training.Classes;
        int count = rows.Length * classes;
        Span<float> input = layers[0].Input(count, training: false);
        for (int i = 0; i < count; i++)
        {
            Embed(data, rows[i / classes], i % classes, input.Slice(i * features, features));
        }
        goodness.Clear();
        for (int i = 0; i < layers.Length; i++)
        {
            ReadOnlySpan<float> logits = layers[i].Evaluate(count);
            if (i > 0 || layers.Length == 1)
            {
                TensorPrimitives.Add(goodness, logits, goodness);
            }
            if (i + 1 < layers.Length)
            {
                layers[i].Activity(count, training: false).CopyTo(layers[i + 1].Input(count, training: false));
            }
        }
    }

    /// <summary>The batch with its labels, and behind it the same batch with labels drawn from the wrong ones.</summary>
    private void FillPairs(ReadOnlySpan<int> rows, Span<float> input)
    {
        DataSet data = Data.Training;
        DataRandom random = new(Plan.Seed ^ 0xF0F0_F0F0, (ulong)NextStep);
        for (int i = 0; i < rows.Length; i++)
        {
            int label = data.Labels[rows[i]];
            int wrong = (label + 1 + (int)(random.Uniform() * (data.Classes - 1))) % data.Classes;
            Embed(data, rows[i], label, input.Slice(i * data.Features, data.Features));
            Embed(data, rows[i], wrong, input.Slice((rows.Length + i) * data.Features, data.Features));
        }
    }

    /// <summary>A sample whose first inputs, one for each class, are 0 but for the label's, which has the largest value of the data.</summary>
    private void Embed(DataSet data, int row, int label, Span<float> input)
    {
        data.CopyInputs([row], input);
        input[..Data.Training.Classes].Clear();
        input[label] = mark;
    }

    private void RequireLabels(DataSet data)
    {
        if (data.Kind != TargetKind.Label)
        {
            throw new TrainingException($"forward-forward training needs class labels; '{data.Name}' has real-valued targets");
        }
        if (data != Data.Training && data.Features != Data.Training.Features)
        {
            throw new TrainingException($"the network's input takes {Data.Training.Features} values per sample; '{data.Name}' has {data.Features}");
        }
        if (data == Data.Training && (data.Classes < 2 || data.Features <= data.Classes))
        {
            throw new TrainingException($"forward-forward training writes the label into the first inputs, one for each class, and needs 2 classes or more and more inputs than classes; '{data.Name}' has {data.Classes} classes and {data.Features} inputs");
        }
    }
}
