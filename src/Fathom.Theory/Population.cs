using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>
/// Draws of one unit at two samples and two positions: the distribution of a value that is not Gaussian, such as the stream of a
/// residual network with a ReLU behind each sum. Always the same numbers for the same node.
/// </summary>
internal sealed class Population
{
    /// <summary>Draws; each of the four elements of all of them counts, and every draw comes with its mirror image.</summary>
    private const int Draws = 8192, Members = 4;

    private readonly double[] elements = new double[Draws * Members];

    private Population()
    {
    }

    /// <summary>
    /// Gaussian elements. Two samples by two positions commute with the Hadamard transform, so that 1 ± r ± c ± s are the variances
    /// of its four components.
    /// </summary>
    public static Population Gaussian(Moments moments, RandomKey key)
    {
        Population population = new();
        double r = Centered(MomentPair.Positions), c = Centered(MomentPair.Samples), s = Centered(MomentPair.Both), v = moments.Variance;
        double[] deviations = [Deviation(v + r + c + s), Deviation(v + r - c - s), Deviation(v - r + c - s), Deviation(v - r - c + s)];
        RandomStream random = new(key);
        for (int draw = 0; draw < Draws; draw += 2)
        {
            double all = deviations[0] * random.NextGaussian(), samples = deviations[1] * random.NextGaussian();
            double positions = deviations[2] * random.NextGaussian(), rest = deviations[3] * random.NextGaussian();
            Span<double> own = population.elements.AsSpan(draw * Members, Members), mirrored = population.elements.AsSpan((draw + 1) * Members, Members);
            (own[0], own[1], own[2], own[3]) = (all + samples + positions + rest, all + samples - positions - rest, all - samples + positions - rest, all - samples - positions + rest);
            for (int i = 0; i < Members; i++)
            {
                (own[i], mirrored[i]) = (moments.Mean + own[i], moments.Mean - own[i]);
            }
        }
        return population;

        double Centered(MomentPair pair) => moments.Product(pair) - moments.Mean * moments.Mean;

        static double Deviation(double sum) => Math.Sqrt(Math.Max(0, sum)) / 2;
    }

    /// <summary>The elements under a function.</summary>
    public Population Under(Func<double, double> function)
    {
        Population image = new();
        for (int i = 0; i < elements.Length; i++)
        {
            image.elements[i] = function(elements[i]);
        }
        return image;
    }

    /// <summary>The sum of two independent populations.</summary>
    public Population Plus(Population other)
    {
        Population sum = new();
        System.Numerics.Tensors.TensorPrimitives.Add(elements, other.elements, sum.elements);
        return sum;
    }

    /// <summary>
    /// Squares of a function at two of each draw's elements that differ in sample and position, in units of their mean; null if
    /// they are all 0.
    /// </summary>
    public float[]? SquaresOf(Func<double, double> function)
    {
        float[] squares = new float[2 * Draws];
        double sum = 0;
        for (int i = 0; i < squares.Length; i++)
        {
            double value = function(elements[i / 2 * Members + i % 2 * (Members - 1)]);
            squares[i] = (float)(value * value);
            sum += value * value;
        }
        double mean = sum / squares.Length;
        for (int i = 0; i < squares.Length && mean > 0; i++)
        {
            squares[i] /= (float)mean;
        }
        return mean > 0 ? squares : null;
    }

    /// <summary>What an activation does to the elements.</summary>
    public ActivationMoments Through(Graphs.Ops.Activation activation, Moments input)
    {
        Population value = Under(activation.Evaluate), slope = Under(activation.Slope);
        return new ActivationMoments(value.elements.Average(), value.Product(0), value.Product(2), slope.Product(0), slope.Product(2),
            slope.elements.Average(x => x * x * x * x))
        {
            PositionCrossMoment = value.Product(1), PositionCrossSlope = slope.Product(1),
            AcrossCrossMoment = value.Product(3), AcrossCrossSlope = slope.Product(3),
            Distribution = new ActivationInput(input),
        };
    }

    /// <summary>E[x_i·x_j] of elements whose numbers differ in the given bits: 1 for the position, 2 for the sample.</summary>
    private double Product(int apart)
    {
        double sum = 0;
        for (int i = 0; i < elements.Length; i++)
        {
            sum += elements[i] * elements[i ^ apart];
        }
        return sum / elements.Length;
    }
}
