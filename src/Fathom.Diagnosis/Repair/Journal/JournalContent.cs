namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>Whose results a journal holds, or has given.</summary>
/// <param name="Control">Whether the control's are among them.</param>
/// <param name="Trials">Candidates.</param>
/// <param name="ProofRuns">Runs of the proof, of control and cure each.</param>
public sealed record JournalContent(bool Control, int Trials, int ProofRuns)
{
    /// <summary>Steps of a control that was interrupted before its finding was certain; 0 if there is none, or if the control's results are there.</summary>
    public long ControlSteps { get; init; }

    public bool IsEmpty => !Control && ControlSteps == 0 && Trials == 0 && ProofRuns == 0;

    /// <summary>Counts the runs that pieces belong to.</summary>
    internal static JournalContent Of(IReadOnlyCollection<string> pieces)
    {
        int Runs(string kind) => pieces.Where(piece => piece.StartsWith(kind, StringComparison.Ordinal)).Select(Piece.RunOf).Distinct().Count();
        bool control = pieces.Contains(Piece.Control);
        return new JournalContent(control, Runs(Piece.Trial), Runs(Piece.Proof)) { ControlSteps = control ? 0 : pieces.Select(Piece.StepsOfState).DefaultIfEmpty().Max() };
    }

    /// <summary>Such as «the control, 7 trials, 2 proof runs»; empty if there is nothing.</summary>
    public override string ToString() =>
        string.Join(", ", new[] { Control ? "the control" : ControlSteps > 0 ? $"the control's first {ControlSteps} steps" : "", Count(Trials, "trial"), Count(ProofRuns, "proof run") }.Where(part => part.Length > 0));

    private static string Count(int number, string what) => number == 0 ? "" : $"{number} {what}{(number == 1 ? "" : "s")}";
}
