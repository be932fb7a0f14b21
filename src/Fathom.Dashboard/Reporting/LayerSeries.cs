namespace Fathom.Dashboard.Reporting;

/// <summary>
/// What was measured at one layer with weights, at each step that has detail, in the order of
/// <see cref="RunData.DetailSteps"/>. NaN says that it was not measured; +∞ says that it was, and was not finite.
/// </summary>
internal sealed record LayerSeries(string Name, string Op, int Depth, string? Activation)
{
    /// <summary>L2 norm of the loss's gradient, by the layer's output or by its weights (<see cref="RunData.GradientIsByOutput"/>).</summary>
    public List<double> Gradient { get; } = [];

    /// <summary>‖update‖ / ‖weights‖ of the layer's largest parameter, both L2.</summary>
    public List<double> UpdateRatio { get; } = [];

    /// <summary>Share of the outputs of <see cref="Activation"/> that are saturated.</summary>
    public List<double> Saturated { get; } = [];

    /// <summary>Share of these outputs that are exactly 0.</summary>
    public List<double> Zeros { get; } = [];
}
