namespace Fathom.Testing.Reference;

/// <summary>The reference cases of one runner's ops.</summary>
public static class ReferenceFamily
{
    /// <summary>Runs every case of one family and of the special cases that the runner serves.</summary>
    /// <returns>What went wrong, one line each; and how many cases passed.</returns>
    public static (int Passed, IReadOnlyList<string> Failures) Run(string family, ReferenceRunner runner)
    {
        IEnumerable<ReferenceCase> cases = ReferenceFolder.Open().Cases
            .Where(reference => reference.Family == family || (reference.Family == "special" && runner.Serves(reference)));
        (int passed, List<string> failures, List<string> notCovered) = ReferenceSuite.Run(cases);
        return (passed, [.. failures, .. notCovered.Select(op => $"{op}: no runner")]);
    }
}
