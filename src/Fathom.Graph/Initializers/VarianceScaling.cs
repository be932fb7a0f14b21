using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>Which number of connections scales the variance.</summary>
public enum FanMode
{
    In,
    Out,
    Average,
}

/// <summary>The family of distributions.</summary>
public enum WeightDistribution
{
    Normal,
    Uniform,

    /// <summary>Cut at two deviations and rescaled to the wanted variance, as in Keras.</summary>
    TruncatedNormal,
}

/// <summary>
/// Var(w) = scale / fan. Glorot and Bengio 2010 (scale 1, average), He et al. 2015 (scale 2, fan-in), LeCun et al.
/// 1998 (scale 1, fan-in).
/// </summary>
/// <param name="Scale">Numerator; a gain g counts as g².</param>
/// <param name="Mode">Denominator.</param>
/// <param name="Distribution">Shape of the distribution.</param>
/// <param name="Family">Name under which a model file knows it: xavier, he, lecun or variance_scaling.</param>
public sealed record VarianceScaling(double Scale, FanMode Mode, WeightDistribution Distribution, string Family = "variance_scaling") : Initializer
{
    public static readonly VarianceScaling XavierNormal = new(1, FanMode.Average, WeightDistribution.Normal, "xavier");
    public static readonly VarianceScaling XavierUniform = new(1, FanMode.Average, WeightDistribution.Uniform, "xavier");
    public static readonly VarianceScaling HeNormal = new(2, FanMode.In, WeightDistribution.Normal, "he");
    public static readonly VarianceScaling HeUniform = new(2, FanMode.In, WeightDistribution.Uniform, "he");
    public static readonly VarianceScaling LeCunNormal = new(1, FanMode.In, WeightDistribution.Normal, "lecun");
    public static readonly VarianceScaling LeCunUniform = new(1, FanMode.In, WeightDistribution.Uniform, "lecun");

    public override string Kind => Family == "variance_scaling" ? Family : $"{Family}_{Suffix}";

    private string Suffix => Distribution switch
    {
        WeightDistribution.Normal => "normal",
        WeightDistribution.Uniform => "uniform",
        _ => "truncated_normal",
    };

    public override double Variance(Fans fans) => Scale / Math.Max(1, Mode switch
    {
        FanMode.In => fans.In,
        FanMode.Out => fans.Out,
        _ => fans.Average,
    });

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        double variance = Variance(Fans.Of(shape));
        switch (Distribution)
        {
            case WeightDistribution.Uniform:
                T limit = T.CreateTruncating(Math.Sqrt(3 * variance));
                RandomFill.Uniform(key, -limit, limit, target);
                break;
            case WeightDistribution.Normal:
                RandomFill.Normal(key, T.Zero, T.CreateTruncating(Math.Sqrt(variance)), target);
                break;
            default:
                TruncatedNormal unit = new(-2, 2);
                unit.Fill(key, 0, Math.Sqrt(variance / unit.Variance), target);
                break;
        }
    }
}
