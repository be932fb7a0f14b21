using Fathom.Testing.Reference;
using Xunit.Abstractions;

namespace Fathom.Training.Tests;

/// <summary>
/// Every vector file in the folder; <c>eng/reference.sh</c> prints the summary and what is not covered.
/// </summary>
public sealed class ReferenceSuiteTests(ITestOutputHelper output)
{
    [ReferenceFact]
    public void EveryCaseWhoseOpExistsAgreesWithPyTorch()
    {
        IReadOnlyList<ReferenceCase> cases = ReferenceFolder.Open().Cases;
        (int passed, List<string> failures, List<string> notCovered) = ReferenceSuite.Run(cases);

        foreach (IGrouping<string, string> op in notCovered.GroupBy(op => op).OrderBy(op => op.Key, StringComparer.Ordinal))
        {
            output.WriteLine($"not covered: {op.Key} ({op.Count()} cases)");
        }
        foreach (string failure in failures)
        {
            output.WriteLine($"differs: {failure}");
        }
        output.WriteLine($"reference: {cases.Count} cases, {passed} passed, {notCovered.Count} not covered");
        Assert.Empty(failures);
        Assert.Equal(cases.Count, passed + notCovered.Count);
        Assert.True(passed > 0, "no case has a runner");
    }
}
