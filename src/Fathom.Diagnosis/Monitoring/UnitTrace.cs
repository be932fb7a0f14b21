using Fathom.Graphs;
using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>How many units of a ReLU layer are dead, over time. Counted only once the layer's share of zeros has risen.</summary>
public sealed class UnitTrace
{
    /// <summary>Training samples over which units are counted.</summary>
    internal const int Samples = 128;

    /// <summary>Share of zeros, and its rise since the first look, below which counting is not worth a forward pass.</summary>
    private const double Zeros = 0.5, Rise = 0.08;

    private readonly LayerTrace layer;
    private readonly List<(long Step, double Share)> shares = [];
    private double first = double.NaN;

    internal UnitTrace(LayerTrace layer) => this.layer = layer;

    public string Name => layer.Activation!.Name;

    /// <summary>Step and share of dead units of each count, oldest first.</summary>
    public IReadOnlyList<(long Step, double Share)> Shares => shares;

    /// <summary>Units in the layer.</summary>
    public int Units { get; private set; }

    /// <summary>Notes the share of zeros at the first look; afterwards, whether the units should be counted.</summary>
    internal bool Begin()
    {
        first = double.IsNaN(first) ? layer.Zeros : first;
        return layer.Zeros > Zeros && layer.Zeros - first > Rise;
    }

    internal void Add(long step, IReadOnlyList<UnitActivity> activity)
    {
        UnitActivity mine = activity.First(other => other.Layer == layer.Activation);
        Units = mine.Units;
        shares.Add((step, (double)mine.Dead / mine.Units));
    }

    internal double[] Capture() => [first, Units, .. shares.SelectMany(share => new[] { share.Step, share.Share })];

    internal bool Restore(double[] state)
    {
        if (state.Length < 2 || state.Length % 2 != 0)
        {
            return false;
        }
        (first, Units) = (state[0], (int)state[1]);
        shares.Clear();
        for (int i = 2; i < state.Length; i += 2)
        {
            shares.Add(((long)state[i], state[i + 1]));
        }
        return true;
    }
}
