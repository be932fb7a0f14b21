using System.Collections;
using System.Reflection;
using Fathom.Formats;
using Fathom.Graphs;
using Fathom.Theory;
using Fathom.Training;

namespace Fathom.Docs.Tests.Reference;

/// <summary>A thing that a model file may name.</summary>
/// <param name="Kind">Its name.</param>
/// <param name="Value">The record with default settings that its catalog holds.</param>
/// <param name="Catalog">The catalog's class, such as LossCatalog.</param>
internal sealed record Part(string Kind, object Value, string Catalog)
{
    public Type Type => Value.GetType();

    /// <summary>The settings that a model file may give.</summary>
    public IEnumerable<RecordSetting> Settings => RecordSchema.Of(Value).Settings
        .Where(setting => Value is not Graphs.Initializers.Initializer || !InitializerSettings.Hides(Kind, setting.Name));

    /// <summary>
    /// Everything in the catalogs, which are found by their shape: a static class whose name ends in Catalog, with a
    /// dictionary ByKind.
    /// </summary>
    public static IReadOnlyList<Part> All { get; } = [.. Assemblies().SelectMany(assembly => assembly.GetExportedTypes()).SelectMany(InCatalog)
        .OrderBy(part => part.Catalog, StringComparer.Ordinal).ThenBy(part => part.Kind, StringComparer.Ordinal)];

    /// <summary>The assemblies in which parts and their verbs are.</summary>
    public static IEnumerable<Assembly> Assemblies() =>
        [typeof(Graph).Assembly, typeof(MeanField).Assembly, typeof(TrainingPlan).Assembly, typeof(ModelReader).Assembly];

    private static IEnumerable<Part> InCatalog(Type type)
    {
        if (!type.Name.EndsWith("Catalog", StringComparison.Ordinal) || !type.IsAbstract || !type.IsSealed)
        {
            yield break;
        }
        object? catalog = type.GetField("ByKind")?.GetValue(null) ?? type.GetProperty("ByKind")?.GetValue(null);
        if (catalog is not IEnumerable entries)
        {
            yield break;
        }
        foreach (object entry in entries)
        {
            string kind = (string)entry.GetType().GetProperty("Key")!.GetValue(entry)!;
            yield return new Part(kind, entry.GetType().GetProperty("Value")!.GetValue(entry)!, type.Name);
        }
    }
}
