using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>Everything of a graph that a model file has to keep, as text: names, ops, edges, shapes, initializers.</summary>
internal static class GraphText
{
    public static string Of(Graph graph)
    {
        StringBuilder text = new();
        foreach (Node node in graph.Nodes)
        {
            text.Append(node).Append("  ").Append(Describe(node.Op)).Append('\n');
        }
        return text.Append("→ ").AppendJoin(", ", graph.Outputs).ToString();
    }

    private static string Describe(Op op)
    {
        // A record prints its attributes, but an initializer only its kind.
        string attributes = op switch
        {
            Parameter { Initializer: { } initializer } parameter => $"{string.Join(' ', initializer.GetType().GetProperties().Where(property => property.CanWrite)
                .OrderBy(property => property.Name).Select(property => FormattableString.Invariant($"{property.Name}={property.GetValue(initializer)}")))} {parameter.Trainable}",
            Reshape reshape => string.Join(",", reshape.Target),
            _ => "",
        };
        return FormattableString.Invariant($"{op} {attributes}");
    }
}
