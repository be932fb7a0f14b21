using System.Globalization;
using Fathom.Training;

namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>Names of the pieces of an examination.</summary>
internal static class Piece
{
    /// <summary>The control, up to where its finding is certain.</summary>
    public const string Control = "control";

    /// <summary>The learning-rate range test of the network as given.</summary>
    public const string RangeTest = "range test";

    public const string Trial = "trial ";
    public const string Proof = "proof ";
    private const string Place = " @ ";
    private const string State = "state after ";

    /// <summary>A candidate's run. Its name is for the reader; what was made of the network tells candidates apart.</summary>
    public static string OfTrial(string name, ModelDefinition mended) => $"{Trial}{name} #{JournalKey.OfModel(mended)}";

    /// <summary>One run of a proof.</summary>
    public static string OfProof(ModelDefinition cure, bool mended, ulong seed) => $"{Proof}of #{JournalKey.OfModel(cure)}, {(mended ? "mended" : "control")}, seed {seed.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>What a run was like after a share of its plan.</summary>
    public static string At(string run, double share) => $"{run}{Place}{share.ToString("R", CultureInfo.InvariantCulture)}";

    /// <summary>The control on the rows that prove, after a share of its plan; 0 for where its finding was certain.</summary>
    public static string ControlStand(double share) => $"{Control}{Place}proof at {share.ToString("R", CultureInfo.InvariantCulture)}";

    /// <summary>A run's outcome after a number of steps.</summary>
    public static string Outcome(string run, long steps) => $"{run}{Place}outcome after {steps.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>The control as it stood when the examination was interrupted before its finding was certain; the numbers lie elsewhere.</summary>
    public static string ControlState(long steps) => $"{Control}{Place}{State}{steps.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>The steps of a piece named by <see cref="ControlState"/>; 0 for any other.</summary>
    public static long StepsOfState(string piece) =>
        piece.StartsWith(Control + Place + State, StringComparison.Ordinal) && long.TryParse(piece.AsSpan((Control + Place + State).Length), NumberStyles.None, CultureInfo.InvariantCulture, out long steps) ? steps : 0;

    /// <summary>The run that a piece belongs to.</summary>
    public static string RunOf(string piece) => piece.LastIndexOf(Place, StringComparison.Ordinal) is >= 0 and int end ? piece[..end] : piece;
}
