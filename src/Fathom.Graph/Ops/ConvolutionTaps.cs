using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Along one axis, which element each tap of a kernel reads at each output: i·stride + k·dilation − pad, where that lies
/// inside. Weights of different taps are independent, so second moments pass tap by tap.
/// </summary>
internal readonly record struct ConvolutionTaps(int Inputs, int Outputs, int Kernel, int Stride, int Dilation, int Pad)
{
    /// <summary>For each output the sum over its taps of the mean square of what they read.</summary>
    /// <param name="profile">Mean square of the inputs; empty for 1 everywhere.</param>
    public ImmutableArray<double> Gather(ImmutableArray<double> profile)
    {
        double[] sums = new double[Outputs];
        for (int i = 0; i < Outputs; i++)
        {
            for (int k = 0; k < Kernel; k++)
            {
                long j = (long)i * Stride + (long)k * Dilation - Pad;
                sums[i] += j >= 0 && j < Inputs ? Share(profile, (int)j) : 0;
            }
        }
        return [.. sums];
    }

    /// <summary>For each input the sum over the taps that read it of the mean square of the gradient at their outputs.</summary>
    /// <param name="profile">Mean square of the gradient at the outputs; empty for 1 everywhere.</param>
    public ImmutableArray<double> Scatter(ImmutableArray<double> profile)
    {
        double[] sums = new double[Inputs];
        for (int i = 0; i < Outputs; i++)
        {
            for (int k = 0; k < Kernel; k++)
            {
                long j = (long)i * Stride + (long)k * Dilation - Pad;
                if (j >= 0 && j < Inputs)
                {
                    sums[j] += Share(profile, i);
                }
            }
        }
        return [.. sums];
    }

    /// <summary>Σ over taps and outputs of what is read times the gradient's mean square there.</summary>
    public double Meet(ImmutableArray<double> input, ImmutableArray<double> gradient)
    {
        ImmutableArray<double> gathered = Gather(input);
        double sum = 0;
        for (int i = 0; i < Outputs; i++)
        {
            sum += gathered[i] * Share(gradient, i);
        }
        return sum;
    }

    /// <summary>
    /// Mean over taps of (mean over outputs of what is read times the gradient's mean square there)²: what two positions share goes
    /// with the mean square at either.
    /// </summary>
    public double MeetInPairs(ImmutableArray<double> input, ImmutableArray<double> gradient)
    {
        double total = 0;
        for (int k = 0; k < Kernel; k++)
        {
            double sum = 0;
            for (int i = 0; i < Outputs; i++)
            {
                long j = (long)i * Stride + (long)k * Dilation - Pad;
                sum += j >= 0 && j < Inputs ? Share(input, (int)j) * Share(gradient, i) : 0;
            }
            total += sum * sum / ((double)Outputs * Outputs) / Kernel;
        }
        return total;
    }

    /// <summary>Outputs at which a tap reads inside, for each tap: their number and the sum of its squares.</summary>
    public (double Count, double Squares) Inside()
    {
        double count = 0, squares = 0;
        for (int k = 0; k < Kernel; k++)
        {
            // Output i reads element i·stride + shift.
            long shift = (long)k * Dilation - Pad;
            long first = shift >= 0 ? 0 : (-shift + Stride - 1) / Stride;
            long last = Inputs - 1 - shift < 0 ? -1 : Math.Min(Outputs - 1, (Inputs - 1 - shift) / Stride);
            double inside = Math.Max(0, last - first + 1);
            count += inside;
            squares += inside * inside;
        }
        return (count, squares);
    }

    private static double Share(ImmutableArray<double> profile, int index) => profile.IsDefaultOrEmpty ? 1 : profile[index];
}

/// <summary>
/// Moments through a convolution of two axes, position by position: u_p = Σ w_k·x_{p+k}. Xiao et al. (2018), equation 2: the
/// covariance of two positions becomes the mean of those that the taps shift them to.
/// </summary>
internal readonly record struct ConvolutionMoments(ConvolutionTaps Vertical, ConvolutionTaps Horizontal)
{
    private double Outputs => (double)Vertical.Outputs * Horizontal.Outputs;

    private double Inputs => (double)Vertical.Inputs * Horizontal.Inputs;

    /// <summary>Elements that an output reads of one channel, on average, weighted by their mean square.</summary>
    public double TermsPerOutput(PositionMoments? x) => Vertical.Gather(Profile(x, true)).Sum() * Horizontal.Gather(Profile(x, false)).Sum() / Outputs;

    /// <summary>Outputs of one filter that read an input, on average, weighted by their gradient's mean square.</summary>
    public double TermsPerInput(PositionMoments? gradient) => Vertical.Scatter(Profile(gradient, true)).Sum() * Horizontal.Scatter(Profile(gradient, false)).Sum() / Inputs;

    /// <summary>Share of the kernel that lies inside where it matters for the gradient of a weight.</summary>
    public double Meet(PositionMoments? x, PositionMoments? gradient) =>
        Vertical.Meet(Profile(x, true), Profile(gradient, true)) * Horizontal.Meet(Profile(x, false), Profile(gradient, false))
            / (Outputs * Vertical.Kernel * Horizontal.Kernel);

    /// <summary>The same for pairs of positions.</summary>
    public double MeetInPairs(PositionMoments? x, PositionMoments? gradient) =>
        Vertical.MeetInPairs(Profile(x, true), Profile(gradient, true)) * Horizontal.MeetInPairs(Profile(x, false), Profile(gradient, false));

    /// <summary>Pairs of different outputs that read, tap by tap, two elements inside, over what all pairs would give.</summary>
    public double PairsOfOutputs(PositionMoments? x) => Outputs > 1 ? Pairs / (Outputs * (Outputs - 1)) / TermsPerOutput(x) : 1;

    /// <summary>The same seen from the inputs, for a gradient.</summary>
    public double PairsOfInputs(PositionMoments? gradient) => Inputs > 1 ? Pairs / (Inputs * (Inputs - 1)) / TermsPerInput(gradient) : 1;

    /// <summary>The positions of the output.</summary>
    public PositionMoments Gathered(Shape output, PositionMoments x)
    {
        ConvolutionMoments map = this;
        return x.WithProfiles([.. x.Axes.Select((_, i) => map.Axis(x, i).Gather(x.Profiles[i]))]);
    }

    /// <summary>The positions of the gradient at an input.</summary>
    public PositionMoments Scattered(PositionMoments gradient)
    {
        ConvolutionMoments map = this;
        return gradient.WithProfiles([.. gradient.Axes.Select((_, i) => map.Axis(gradient, i).Scatter(gradient.Profiles[i]))]);
    }

    private double Pairs
    {
        get
        {
            ((double count, double squares), (double countAcross, double squaresAcross)) = (Vertical.Inside(), Horizontal.Inside());
            return squares * squaresAcross - count * countAcross;
        }
    }

    private ConvolutionTaps Axis(PositionMoments positions, int i) => positions.Axes.Length == 2 && i == 0 ? Vertical : Horizontal;

    private static ImmutableArray<double> Profile(PositionMoments? positions, bool vertical) => positions is null ? []
        : positions.Profiles.Length == 2 ? positions.Profiles[vertical ? 0 : 1]
        : vertical ? [] : positions.Profiles[0];
}
