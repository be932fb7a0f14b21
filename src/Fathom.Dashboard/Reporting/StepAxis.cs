using Fathom.Dashboard.Charts;

namespace Fathom.Dashboard.Reporting;

/// <summary>The x axis that all charts over steps share, with the findings' steps as lines.</summary>
internal static class StepAxis
{
    public const string Title = "step";

    public static Scale Of(RunData run) =>
        new LinearScale(run.Steps[0].Step, Math.Max(run.Steps[0].Step + 1, run.Steps[^1].Step), wholeNumbers: true);

    /// <summary>Where findings became certain.</summary>
    public static IReadOnlyList<(double X, string Label)> Findings(RunData run) =>
    [
        .. run.Findings.Where(one => one.Step >= run.Steps[0].Step && one.Step <= run.Steps[^1].Step).Take(20)
            .Select(one => ((double)one.Step, $"{one.Rule} {one.Title}: {one.StepText}")),
    ];
}
