using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>All built-in data sets. A new one is a new file and a line here.</summary>
internal static class Catalogue
{
    public static ImmutableArray<BuiltIn> All { get; } =
    [
        new Digits(),
        new Circles(),
        new Blobs(),
        new Moons(),
        new Spirals(),
        new Brackets(),
        new Adding(),
        new TemporalOrder(),
    ];
}
