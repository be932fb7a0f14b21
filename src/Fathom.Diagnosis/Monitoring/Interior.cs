using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// What the steps' probes do not show: the gates of recurrent layers, the attention weights and logits, and which units die.
/// Looked at with a forward pass of a few rows at every eighth inspection, about 25 times in a run, and only where the network
/// has such things.
/// </summary>
public sealed class Interior
{
    /// <summary>Inspections from one look to the next.</summary>
    private const int Interval = 8;

    private const int Rows = 32;

    private readonly TrainingSession session;
    private readonly GateTrace[] gates;
    private readonly AttentionTrace[] attention;
    private readonly UnitTrace[] units;
    private ForwardProbe? probe;

    internal Interior(TrainingSession session, IReadOnlyList<LayerTrace> layers)
    {
        this.session = session;
        Graph network = session.Model.Graph;
        gates = [.. network.Nodes.Where(node => node.Op is RecurrentLayer { GateOutput: >= 0 }).Select(node => new GateTrace(node))];
        attention = [.. network.Nodes.Select(node => (node, AttentionReading.Of(node))).Where(pair => pair.Item2 is not null).Select(pair => new AttentionTrace(pair.node, pair.Item2!))];
        units = [.. layers.Where(layer => layer.Activation?.Op is Relu or Relu6).DistinctBy(layer => layer.Activation).Select(layer => new UnitTrace(layer))];
    }

    /// <summary>Gates of LSTM and GRU layers, in graph order.</summary>
    public IReadOnlyList<GateTrace> Gates => gates;

    /// <summary>Attention, in graph order.</summary>
    public IReadOnlyList<AttentionTrace> Attention => attention;

    /// <summary>ReLU layers, by depth.</summary>
    public IReadOnlyList<UnitTrace> Units => units;

    /// <summary>Whether an inspection is one of those that look inside.</summary>
    /// <param name="inspection">Its number, from 0.</param>
    internal static bool IsDue(int inspection) => inspection % Interval == 0;

    /// <summary>Looks at the network as it is now.</summary>
    /// <param name="step">The step just done.</param>
    internal void Look(long step)
    {
        if (gates.Length + attention.Length > 0)
        {
            probe ??= session.CreateForwardProbe(Rows, gates.SelectMany(gate => gate.Seen).Concat(attention.SelectMany(node => node.Seen)));
            probe.Run();
            foreach (GateTrace gate in gates)
            {
                gate.Add(probe);
            }
            foreach (AttentionTrace node in attention)
            {
                node.Add(probe);
            }
        }
        if (units.Count(layer => layer.Begin()) > 0)
        {
            IReadOnlyList<UnitActivity> activity = session.MeasureUnits(session.Data.Training, UnitTrace.Samples);
            foreach (UnitTrace layer in units)
            {
                layer.Add(step, activity);
            }
        }
    }

    /// <summary>The state as numbers by name, for <see cref="Restore"/>.</summary>
    internal IEnumerable<KeyValuePair<string, double[]>> Capture() =>
    [
        .. gates.Select(gate => KeyValuePair.Create($"gates {gate.Layer.Name}", gate.Capture())),
        .. attention.Select(node => KeyValuePair.Create($"attention {node.Layer.Name}", node.Capture())),
        .. units.Select(layer => KeyValuePair.Create($"units {layer.Name}", layer.Capture())),
    ];

    /// <summary>Takes a state over; what it does not name begins without a past.</summary>
    /// <param name="find">Numbers by name; null for a name that is not there.</param>
    /// <exception cref="FormatException">It belongs to another network.</exception>
    internal void Restore(Func<string, double[]?> find)
    {
        bool fits = gates.All(gate => find($"gates {gate.Layer.Name}") is not { } state || gate.Restore(state))
            && attention.All(node => find($"attention {node.Layer.Name}") is not { } state || node.Restore(state))
            && units.All(layer => find($"units {layer.Name}") is not { } state || layer.Restore(state));
        if (!fits)
        {
            throw new FormatException("gates, attention or units lack numbers");
        }
    }
}
