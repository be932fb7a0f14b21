using Fathom.Graphs;
using Fathom.Graphs.Initializers;

namespace Fathom.Formats.Keras;

/// <summary>
/// Keras takes the fans of a kernel from its shape as it stores it, which for gates, heads and depthwise kernels are other
/// numbers than what one output reads and one input feeds. This keeps the variance that Keras gives.
/// </summary>
internal static class KerasFans
{
    /// <summary>An initializer that gives in Fathom what the given one gives in Keras.</summary>
    /// <param name="initializer">As it stands in the file.</param>
    /// <param name="keras">Fans as Keras counts them.</param>
    /// <param name="own">Fans as Fathom counts them.</param>
    public static Initializer Keep(Initializer initializer, Fans keras, Fans own) => initializer is VarianceScaling scaling && keras != own
        ? new VarianceScaling(scaling.Scale * Fan(scaling.Mode, own) / Fan(scaling.Mode, keras), scaling.Mode, scaling.Distribution)
        : initializer;

    private static double Fan(FanMode mode, Fans fans) => mode switch
    {
        FanMode.In => fans.In,
        FanMode.Out => fans.Out,
        _ => fans.Average,
    };
}
