using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Repair;

/// <summary>Networks that stay at a guess for long and then learn all at once.</summary>
internal static class Plateau
{
    /// <summary>
    /// Whether it says little that a network has learnt nothing yet: recurrent ones are known for it, as on the adding problem
    /// (samples/adding-lstm.yaml guesses for a third of its run).
    /// </summary>
    public static bool IsUsual(Graph network) => network.Nodes.Any(node => node.Op is RecurrentLayer);
}
