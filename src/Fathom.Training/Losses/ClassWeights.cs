using System.Globalization;
using Fathom.Training.Data;

namespace Fathom.Training.Losses;

/// <summary>How much the samples of each class count in the loss.</summary>
/// <param name="Numbers">A weight for each class, 0 or more; empty for weights that balance the classes of the training data.</param>
public sealed record ClassWeights(ValueList<double> Numbers)
{
    /// <summary>The word for weights from the data.</summary>
    public const string BalancedName = "balanced";

    /// <summary>
    /// Rows / (classes · rows of the class): each class counts the same as a whole, and the mean weight of a row is 1
    /// (King and Zeng 2001, section 3). A class without rows gets 1, and does not count among the classes.
    /// </summary>
    public static ClassWeights Balanced { get; } = new(ValueList.Create<double>([]));

    public bool IsBalanced => Numbers.Count == 0;

    /// <summary>The weights for data and classes.</summary>
    /// <param name="data">The training data.</param>
    /// <param name="classes">Number of classes that the network tells apart.</param>
    /// <exception cref="TrainingException">The data have no classes to balance, or there are not as many weights as classes.</exception>
    public double[] For(DataSet data, int classes)
    {
        if (!IsBalanced)
        {
            return Numbers.Count == classes ? [.. Numbers]
                : throw new TrainingException($"class_weights has {Numbers.Count} numbers; the network tells {classes} classes apart");
        }
        if (data.Kind != TargetKind.Label)
        {
            throw new TrainingException($"class_weights: {BalancedName} needs class labels; '{data.Name}' has real-valued targets");
        }
        long[] counts = new long[classes];
        foreach (int label in data.Labels)
        {
            if (label < classes)
            {
                counts[label]++;
            }
        }
        int present = counts.Count(count => count > 0);
        return [.. counts.Select(count => count == 0 ? 1 : data.Count / ((double)present * count))];
    }

    /// <exception cref="TrainingException">A weight is negative or not finite, or all are 0.</exception>
    public void Validate()
    {
        foreach (double weight in Numbers)
        {
            if (!(weight >= 0 && double.IsFinite(weight)))
            {
                throw new TrainingException(string.Create(CultureInfo.InvariantCulture, $"class_weights is {weight}; it must be 0 or more and finite"));
            }
        }
        if (!IsBalanced && Numbers.All(weight => weight == 0))
        {
            throw new TrainingException("class_weights is 0; it must be greater than 0 for one class at least");
        }
    }
}
