using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>A number that a built-in data set can be given, with its default and range.</summary>
/// <param name="Name">As it is written in a spec.</param>
/// <param name="Default">The value unless one is given.</param>
/// <param name="Minimum">The smallest value allowed.</param>
/// <param name="Maximum">The largest value allowed.</param>
/// <param name="Meaning">What it does, with its unit.</param>
/// <param name="Whole">Whether it must be a whole number.</param>
public sealed record BuiltInParameter(
    string Name, double Default, double Minimum, double Maximum, string Meaning, bool Whole = false);

/// <summary>A data set that needs no file. Each lies in its own file; <see cref="Catalogue"/> lists them.</summary>
public abstract class BuiltIn
{
    /// <summary>As it is written in a spec.</summary>
    public abstract string Name { get; }

    /// <summary>One line for a list.</summary>
    public abstract string Summary { get; }

    public abstract ImmutableArray<BuiltInParameter> Parameters { get; }

    /// <summary>Whether the rows are drawn, so that another seed gives other rows.</summary>
    public virtual bool Drawn => true;

    internal abstract DataSet Create(BuiltInArguments arguments);

    private protected static BuiltInParameter Rows { get; } =
        new("samples", 1000, 2, 10_000_000, "rows", Whole: true);

    private protected static BuiltInParameter Samples { get; } =
        new("samples", 1000, 2, 10_000_000, "rows, shared out evenly among the classes", Whole: true);

    /// <summary>Refuses what no array holds.</summary>
    private protected void RequireRoom(int samples, long features)
    {
        if (samples * features > Array.MaxLength)
        {
            throw new DataException($"{Name}: {samples} samples of {features} features are more than one array holds ({Array.MaxLength}).");
        }
    }
}

/// <summary>The values that one data set is created with: each declared parameter, and the seed.</summary>
internal sealed class BuiltInArguments(ulong seed, IReadOnlyDictionary<string, double> values)
{
    public ulong Seed { get; } = seed;

    public int Samples => Whole("samples");

    public double this[string name] => values[name];

    public int Whole(string name) => (int)values[name];
}
