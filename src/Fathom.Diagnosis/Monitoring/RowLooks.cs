namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Looks at rows now and then, only when a rule asks: each look costs a forward pass of up to 400 rows. In between the last one holds.
/// </summary>
internal sealed class RowLooks(Observation observation)
{
    /// <summary>Inspections, of about 200 in a run, for which a look holds.</summary>
    private const int Every = 8;

    private readonly (int Inspection, RowsLeft? Left)[] looks = [(-Every, null), (-Every, null)];

    /// <summary>What the network leaves of its training rows; null where that cannot be said.</summary>
    public RowsLeft? OfTraining => Look(0);

    /// <summary>
    /// Whether the network knows as much of its rows as the nearest ones tell, and of those that it has not seen too: then its loss, however high, comes of how sure it is
    /// and not of what it has not learnt.
    /// </summary>
    public bool HasLearnt => Look(0) is { IsLearnt: true } && Look(1) is { IsLearnt: true };

    public IEnumerable<double> Capture() => looks.SelectMany(look => look.Left is { } left
        ? [look.Inspection, left.Network, left.Neighbours, left.Constant, left.OfClasses ? 1 : 0]
        : new double[] { look.Inspection, double.NaN, double.NaN, double.NaN, -1 });

    /// <summary>Takes a state over; false if it is none.</summary>
    public bool Restore(double[] state)
    {
        if (state.Length != 5 * looks.Length)
        {
            return false;
        }
        for (int i = 0; i < looks.Length; i++)
        {
            double[] look = state[(5 * i)..(5 * i + 5)];
            looks[i] = ((int)look[0], look[4] < 0 ? null : new RowsLeft(look[1], look[2], look[3], look[4] > 0));
        }
        return true;
    }

    private RowsLeft? Look(int of)
    {
        int now = observation.Losses.Count;
        if (now - looks[of].Inspection >= Every)
        {
            looks[of] = (now, RowsLeft.Measure(observation, validation: of == 1));
        }
        return looks[of].Left;
    }
}
