using Fathom.Testing;

namespace Fathom.Cli.Tests;

/// <summary>Every model file in samples/ is what it says: it can be checked and trained, and says how to begin.</summary>
public sealed class SampleTests : IDisposable
{
    private static readonly string Folder = Path.Combine(RepositoryFiles.Root, "samples");

    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> Samples => [.. Directory.GetFiles(Folder, "*.yaml").Select(path => Path.GetFileName(path)!)
        .Where(name => !name.EndsWith(".fixed.yaml", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    public void Dispose() => folder.Dispose();

    [Theory, MemberData(nameof(Samples))]
    public void IsCheckedAndTrained(string name)
    {
        string model = Path.Combine(Folder, name);
        string comment = string.Join('\n', File.ReadLines(model).TakeWhile(line => line.StartsWith('#')));
        Assert.Matches($"# +fathom [a-z]+ samples/{name}", comment);

        CliRun check = CliRun.Of("check", model);
        Assert.True(check.Status is ExitStatus.Clean or ExitStatus.Findings, check.Output + check.Error);
        Assert.Contains("verdict: ", check.Output);

        CliRun train = CliRun.Of("train", model, "--epochs", "1", "--fail-on", "never", "--run", folder.File("a.run"));
        Assert.True(train.Status == ExitStatus.Clean, train.Output + train.Error);
        Assert.Contains("epoch 1/1", train.Output);
        Assert.DoesNotContain("NaN", train.Output);
    }
}
