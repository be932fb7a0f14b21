namespace Fathom.Training.Data;

/// <summary>What to read or draw, besides the spec itself. A parameter in the spec goes before one given here.</summary>
public sealed record DataOptions
{
    public static DataOptions Default { get; } = new();

    /// <summary>
    /// A fraction of the rows between 0 and 1, such as "0.2", or the spec of another data set, such as
    /// "csv:val.csv". Unset: the test files of an IDX folder where it has some, and 0.2 otherwise.
    /// </summary>
    public string? Validation { get; init; }

    /// <summary>Chooses the rows that validate, and draws the built-in sets.</summary>
    public ulong Seed { get; init; }

    /// <summary>Rows that a built-in generator draws.</summary>
    public int? Samples { get; init; }

    /// <summary>How much noise a built-in generator adds; each says in what unit.</summary>
    public double? Noise { get; init; }

    /// <summary>
    /// How many classes there are. Unset: as many as the labels show. Files with a label beyond it are refused.
    /// </summary>
    public int? Classes { get; init; }

    /// <summary>The header name of a CSV file's label column. Unset: the last column.</summary>
    public string? LabelColumn { get; init; }

    /// <summary>
    /// Whether a CSV file's last column holds classes or real numbers. Unset: classes if it holds names or whole
    /// numbers, and real numbers otherwise.
    /// </summary>
    public TargetKind? Target { get; init; }

    /// <summary>
    /// If the inputs are indices: how many there are, counted from 0. A CSV file with any other number is then refused, and
    /// the bytes of an IDX file stay whole numbers.
    /// </summary>
    public int? Indices { get; init; }
}
