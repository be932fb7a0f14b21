namespace Fathom.Theory;

/// <summary>
/// The gate by which a unit keeps what it holds, at one step, given z, the part of its pre-activation that stays over time:
/// units whose z is high keep theirs for long, and a mean over units is not that of one gate after the other.
/// </summary>
/// <param name="Mean">E[f | z] at the nodes of <see cref="SharedGaussian"/>.</param>
/// <param name="Square">E[f² | z].</param>
/// <param name="Slope">E[σ' | z].</param>
/// <param name="SlopeSquare">E[σ'² | z].</param>
internal sealed record CarryGate(double[] Mean, double[] Square, double[] Slope, double[] SlopeSquare)
{
    /// <summary>The gates of one layer by pre-activation.</summary>
    internal sealed class Table
    {
        private readonly Dictionary<(double, double, double), CarryGate> known = [];

        public CarryGate At(PreActivation u)
        {
            var key = (u.Mean, CellFunction.Round(u.Variance), CellFunction.Round(Math.Max(0, u.OverTime)));
            if (!known.TryGetValue(key, out CarryGate? gate))
            {
                known[key] = gate = new CarryGate(Of(CellFunction.SigmoidValue), Of(x => Square(CellFunction.SigmoidValue(x))),
                    Of(CellFunction.SigmoidSlope), Of(x => Square(CellFunction.SigmoidSlope(x))));
            }
            return gate;

            double[] Of(Func<double, double> f) => SharedGaussian.Conditional(f, key.Mean, key.Item2, key.Item3);
        }

        private static double Square(double x) => x * x;
    }
}
