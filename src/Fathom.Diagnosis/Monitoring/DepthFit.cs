namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// A straight line through log10 ‖∂L/∂u‖ over depth by least squares.
/// </summary>
/// <param name="DecadesPerLayer">Slope towards the output: positive if gradients vanish towards the input.</param>
/// <param name="Decades">log10 of the norm at the greatest depth over that at the least, by the line.</param>
/// <param name="Fit">Coefficient of determination.</param>
/// <param name="Layers">Layers that took part.</param>
public readonly record struct DepthFit(double DecadesPerLayer, double Decades, double Fit, int Layers)
{
    /// <summary>Factor by which the gradient's norm changes per layer on its way back.</summary>
    public double FactorPerLayer => Math.Pow(10, -DecadesPerLayer);

    public static DepthFit Of(IReadOnlyList<LayerTrace> layers)
    {
        (double X, double Y)[] points = [.. layers.Where(layer => double.IsFinite(layer.LogGradient)).Select(layer => ((double)layer.Depth, layer.LogGradient))];
        if (points.Length < 3)
        {
            return new DepthFit(0, 0, 0, points.Length);
        }
        double meanX = points.Average(point => point.X);
        double meanY = points.Average(point => point.Y);
        double xx = points.Sum(point => (point.X - meanX) * (point.X - meanX));
        double xy = points.Sum(point => (point.X - meanX) * (point.Y - meanY));
        double yy = points.Sum(point => (point.Y - meanY) * (point.Y - meanY));
        double slope = xx > 0 ? xy / xx : 0;
        double fit = xx > 0 && yy > 0 ? xy * xy / (xx * yy) : 1;
        return new DepthFit(slope, slope * (points.Max(point => point.X) - points.Min(point => point.X)), fit, points.Length);
    }
}
