namespace Fathom.Testing.Reference;

/// <summary>
/// Runs the reference cases of some ops. Runners are found by reflection: adding one is adding its file under Runners/.
/// </summary>
public abstract class ReferenceRunner
{
    /// <summary>The names in the index that this runner serves, in every family but those it refuses in <see cref="Serves"/>.</summary>
    public abstract IReadOnlyCollection<string> Ops { get; }

    public virtual bool Serves(ReferenceCase reference) => Ops.Contains(reference.Op);

    /// <summary>Runs one case forward and backward.</summary>
    /// <returns>Every tensor that does not agree, one line each; empty if all do.</returns>
    public abstract IReadOnlyList<string> Run(ReferenceCase reference);
}

/// <summary>All runners, and what became of a whole folder of cases.</summary>
public static class ReferenceSuite
{
    private static readonly ReferenceRunner[] Runners =
    [
        .. typeof(ReferenceSuite).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(ReferenceRunner)) && !type.IsAbstract)
            .OrderBy(type => type.FullName, StringComparer.Ordinal)
            .Select(type => (ReferenceRunner)Activator.CreateInstance(type)!),
    ];

    /// <summary>Runs every case whose op exists; a runner that throws counts as a failure of its case.</summary>
    public static (int Passed, List<string> Failures, List<string> NotCovered) Run(IEnumerable<ReferenceCase> cases)
    {
        int passed = 0;
        List<string> failures = [];
        List<string> notCovered = [];
        foreach (ReferenceCase reference in cases)
        {
            if (Runners.FirstOrDefault(runner => runner.Serves(reference)) is not { } runner)
            {
                notCovered.Add($"{reference.Family}/{reference.Op}");
                continue;
            }
            IReadOnlyList<string> lines;
            try
            {
                lines = runner.Run(reference);
            }
            catch (Exception error)
            {
                lines = [$"{reference.Id}: {error.GetType().Name}: {error.Message}"];
            }
            passed += lines.Count == 0 ? 1 : 0;
            failures.AddRange(lines);
        }
        return (passed, failures, notCovered);
    }
}
