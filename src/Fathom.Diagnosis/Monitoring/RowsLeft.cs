using Fathom.Diagnosis.Audit;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// What a network leaves unlearnt of its own training rows, beside what the five nearest rows leave, which takes no training at all. Measured in evaluation mode, so
/// that neither dropout nor the noise of a batch's own statistics counts; and for classes with the outputs scaled by the one factor that suits the labels
/// best (Guo et al. 2017), so that a network that is right but not sure yet does not count as one that has not learnt.
/// </summary>
/// <param name="Network">Classes: cross-entropy in nats. Values: share of the targets' variance.</param>
/// <param name="Neighbours">The same of the nearest rows, with each row left out in turn; NaN where rows have no distance or are too few.</param>
/// <param name="Constant">The same of a constant prediction; 1 for values.</param>
/// <param name="OfClasses">Whether the targets are classes.</param>
internal readonly record struct RowsLeft(double Network, double Neighbours, double Constant, bool OfClasses)
{
    /// <summary>
    /// How far a network may stay behind: a tenth of the targets' variance, or what errors in a tenth of the rows cost at least, for an error of e leaves a
    /// cross-entropy of 2e·ln 2 or more (Hellman and Raviv 1970): 0.14.
    /// </summary>
    internal const double ShortOfValues = 0.1, ShortOfClasses = 0.14;

    /// <summary>How far behind a network that has learnt its rows may be, on rows that it has not seen too: about half of that.</summary>
    private const double LearntValues = 0.05, LearntClasses = 0.08;

    /// <summary>Share of a constant prediction's that the nearest rows may leave, to be a standard at all.</summary>
    private const double Standard = 0.5;

    /// <summary>Weight of a vote that no neighbour has cast, spread over all classes: otherwise five equal ones would be infinitely sure.</summary>
    private const double Doubt = 1;

    /// <summary>Least probability and largest |ln β|, β the factor on the outputs: what float32 resolves.</summary>
    private const double Least = 1e-7, Widest = 7;

    private const int Halvings = 40;

    /// <summary>How far the network stays behind, in the same unit.</summary>
    public double Gap => Network - Neighbours;

    /// <summary>What <see cref="Gap"/> may be.</summary>
    public double Limit => OfClasses ? ShortOfClasses : ShortOfValues;

    /// <summary>Whether the network knows clearly less of the rows than their neighbours tell.</summary>
    public bool IsShort => Gap > Limit;

    /// <summary>Whether it knows about as much of them, where that is much.</summary>
    public bool IsLearnt => Neighbours <= Standard * Constant && Gap < (OfClasses ? LearntClasses : LearntValues);

    /// <summary>
    /// Measures it on up to 400 rows, spread evenly; null where the output has another form than the targets. The nearest rows are always rows of training.
    /// </summary>
    /// <param name="observation">The run.</param>
    /// <param name="validation">On rows of validation, which the network has not seen, instead of its own.</param>
    public static RowsLeft? Measure(Observation observation, bool validation)
    {
        DataSet all = validation ? observation.ValidationData : observation.TrainingData;
        DataSet rows = all.Subset(NeighbourGuess.Sample(all));
        if (rows.Count == 0)
        {
            return null;
        }
        float[] outputs = observation.PredictAll(rows);
        int width = outputs.Length / rows.Count;
        DataSet? known = !observation.HasDistance || observation.TrainingData.Count < NeighbourGuess.FewestRows ? null
            : validation ? observation.TrainingData.Subset(NeighbourGuess.Sample(observation.TrainingData)) : rows;
        if (rows.Kind == TargetKind.Real)
        {
            return observation.Model.Plan.Loss.Output == OutputMeaning.Values && width == rows.TargetWidth ? ByVariance(rows, outputs, known) : null;
        }
        // A squared error of probabilities is one of probabilities too; any other score of a class is taken as a logit, whatever its scale.
        bool probabilities = observation.Model.Plan.Loss.Output == OutputMeaning.Probabilities
            || observation.Model.Plan.Loss.Output == OutputMeaning.Values && OutputMatch.OutputOf(observation.Network).Op is Softmax or Sigmoid;
        return ByEntropy(rows, outputs, width, known, !probabilities);
    }

    private static RowsLeft? ByVariance(DataSet rows, float[] outputs, DataSet? known)
    {
        int width = rows.TargetWidth, count = rows.Count;
        double[] means = new double[width];
        for (int i = 0; i < count * width; i++)
        {
            means[i % width] += rows.Targets[i] / (double)count;
        }
        int[][] neighbours = known is null ? [] : NeighbourGuess.Neighbourhoods(rows, known);
        double variance = 0, left = 0, leftByNeighbours = known is null ? double.NaN : 0;
        for (int i = 0; i < count * width; i++)
        {
            double target = rows.Targets[i];
            variance += Square(target - means[i % width]);
            left += Square(target - outputs[i]);
            if (known is not null)
            {
                double guess = 0;
                foreach (int row in neighbours[i / width])
                {
                    guess += known.Targets[row * width + i % width] / neighbours[i / width].Length;
                }
                leftByNeighbours += Square(target - guess);
            }
        }
        return variance > 0 ? new RowsLeft(left / variance, leftByNeighbours / variance, 1, OfClasses: false) : null;
    }

    private static RowsLeft? ByEntropy(DataSet rows, float[] outputs, int width, DataSet? known, bool logits)
    {
        if (width == 0 || (width == 1 ? rows.Classes > 2 : width < rows.Classes))
        {
            return null;
        }
        int classes = Math.Max(2, width), count = rows.Count;
        int[] counts = new int[classes];
        foreach (int label in rows.Labels)
        {
            counts[label]++;
        }
        double[][] scores = [.. Enumerable.Range(0, count).Select(row => Scores(outputs.AsSpan(row * width, width), logits))];
        double constant = counts.Where(some => some > 0).Sum(some => -(double)some / count * Math.Log((double)some / count));
        return new RowsLeft(BestScaled(scores, rows.Labels.ToArray()), known is null ? double.NaN : OfVotes(rows, known, classes), constant, OfClasses: true);
    }

    /// <summary>Logits of each class, up to a constant.</summary>
    private static double[] Scores(ReadOnlySpan<float> output, bool logits)
    {
        double Of(float value) => logits ? value : Math.Log(Math.Max(value, Least));
        if (output.Length == 1)
        {
            return logits ? [0, output[0]] : [Math.Log(Math.Max(1 - output[0], Least)), Of(output[0])];
        }
        double[] scores = new double[output.Length];
        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = Of(output[i]);
        }
        return scores;
    }

    /// <summary>Mean cross-entropy of softmax(β · scores) at the best β > 0; it is convex in β, so that a bisection of its slope finds it.</summary>
    private static double BestScaled(double[][] scores, int[] labels)
    {
        (double low, double high) = (-Widest, Widest);
        for (int i = 0; i < Halvings; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = Entropy(scores, labels, Math.Exp(middle)).Slope > 0 ? (low, middle) : (middle, high);
        }
        return Entropy(scores, labels, Math.Exp((low + high) / 2)).Value;
    }

    /// <summary>Mean cross-entropy of softmax(β · scores), and its slope by β.</summary>
    private static (double Value, double Slope) Entropy(double[][] scores, int[] labels, double scale)
    {
        double value = 0, slope = 0;
        for (int row = 0; row < labels.Length; row++)
        {
            double[] of = scores[row];
            double most = of.Max(), sum = 0, mean = 0;
            foreach (double score in of)
            {
                double weight = Math.Exp(scale * (score - most));
                sum += weight;
                mean += weight * score;
            }
            value += (Math.Log(sum) - scale * (of[labels[row]] - most)) / labels.Length;
            slope += (mean / sum - of[labels[row]]) / labels.Length;
        }
        return (value, slope);
    }

    private static double OfVotes(DataSet rows, DataSet known, int classes)
    {
        int[][] neighbours = NeighbourGuess.Neighbourhoods(rows, known);
        double sum = 0;
        for (int row = 0; row < rows.Count; row++)
        {
            int votes = 0;
            foreach (int other in neighbours[row])
            {
                votes += known.Labels[other] == rows.Labels[row] ? 1 : 0;
            }
            sum -= Math.Log((votes + Doubt / classes) / (neighbours[row].Length + Doubt));
        }
        return sum / rows.Count;
    }

    private static double Square(double x) => x * x;
}
