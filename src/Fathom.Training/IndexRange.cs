using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training;

/// <summary>Which whole numbers an input of indices takes.</summary>
public static class IndexRange
{
    /// <summary>Whole numbers from here on are not all different as float32, in which data are kept.</summary>
    private const int MostRows = 1 << 24;

    /// <summary>How many indices, counted from 0, all tables that read an input have a row for.</summary>
    /// <param name="network">The network.</param>
    /// <param name="input">Its input.</param>
    public static int Rows(Graph network, Value input) =>
        network.Nodes.Where(node => node.Inputs.Contains(input)).Select(node => node.Op).OfType<Embedding>().Select(table => table.Vocabulary).Append(MostRows).Min();
}
