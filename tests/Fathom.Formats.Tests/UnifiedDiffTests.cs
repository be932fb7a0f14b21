namespace Fathom.Formats.Tests;

public sealed class UnifiedDiffTests
{
    [Fact]
    public void EqualTextsDiffByNothing() => Assert.Equal("", UnifiedDiff.Of("a", "x\ny\n", "b", "x\r\ny\n"));

    [Fact]
    public void AChangedLineStandsWithThreeLinesAround() => Assert.Equal(
        "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
        UnifiedDiff.Of("a", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "b", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"));

    [Fact]
    public void FarChangesAreHunksOfTheirOwn()
    {
        string before = string.Join('\n', Enumerable.Range(1, 30)) + "\n";
        string diff = UnifiedDiff.Of("a", before, "b", before.Replace("3\n", "3\n3a\n", StringComparison.Ordinal)[..^3] + "thirty\n");
        Assert.Equal(diff.Split("@@ -").Length - 1, diff.Split('\n').Count(line => line.StartsWith("@@", StringComparison.Ordinal)));
        Assert.True(diff.Split("@@ -").Length > 2);
    }

    [Fact]
    public void ANewTextIsAllAdded() => Assert.Equal("--- a\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n", UnifiedDiff.Of("a", "", "b", "x\ny\n"));

    /// <summary>Read back as patch does: what is kept or taken away is the old text, what is kept or added the new one.</summary>
    [Fact]
    public void AHundredRandomDifferencesPatchBack()
    {
        Random random = new(1);
        for (int draw = 0; draw < 100; draw++)
        {
            string[] before = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(5).ToString(System.Globalization.CultureInfo.InvariantCulture))];
            List<string> after = [.. before];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                if (after.Count > 0 && random.Next(2) == 0)
                {
                    after.RemoveAt(random.Next(after.Count));
                }
                else
                {
                    after.Insert(random.Next(after.Count + 1), "new");
                }
            }
            string diff = UnifiedDiff.Of("a", string.Join('\n', before) + "\n", "b", string.Join('\n', after.Append("")));
            Assert.Equal(after, Patched(before, diff));
        }
    }

    private static List<string> Patched(string[] before, string diff)
    {
        List<string> result = [];
        int at = 0;
        foreach (string line in diff.Split('\n').Skip(2).Where(line => line.Length > 0))
        {
            if (line.StartsWith("@@", StringComparison.Ordinal))
            {
                string[] range = line.Split(' ')[1][1..].Split(',');
                int start = int.Parse(range[0], System.Globalization.CultureInfo.InvariantCulture) - (range[1] == "0" ? 0 : 1);
                result.AddRange(before[at..start]);
                at = start;
            }
            else if (line[0] == '+')
            {
                result.Add(line[1..]);
            }
            else
            {
                Assert.Equal(before[at], line[1..]);
                if (line[0] == ' ')
                {
                    result.Add(line[1..]);
                }
                at++;
            }
        }
        result.AddRange(before[at..]);
        return result;
    }
}
