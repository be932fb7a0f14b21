namespace Fathom.Docs.Tests.Reference;

/// <summary>What Keras calls a part: found by reading Keras models that hold each thing that the reader knows.</summary>
internal sealed class KerasNames
{
    private readonly Dictionary<(string Catalog, string Kind), SortedSet<string>> names = [];

    public IReadOnlyCollection<string> Of(Part part, IEnumerable<string> aliases) =>
        [.. aliases.Prepend(part.Kind).SelectMany(kind => names.GetValueOrDefault((part.Catalog, kind)) ?? []).Distinct().Order(StringComparer.Ordinal)];
}
