using Fathom.Training.Execution;

namespace Fathom.Training.Tests.Execution;

public sealed class MemoryPlanTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void TensorsAliveTogetherNeverOverlap(int seed)
    {
        Random random = new(seed);
        MemoryPlan plan = new();
        List<(int Offset, int Size, int Born, int Dies)> placed = [];
        for (int step = 0; step < 300; step++)
        {
            int size = random.Next(1, 500);
            int dies = random.Next(5) == 0 ? int.MaxValue : step + random.Next(0, 20);
            placed.Add((plan.Place(size, step, dies), size, step, dies));
        }
        for (int i = 0; i < placed.Count; i++)
        {
            for (int k = 0; k < i; k++)
            {
                bool together = placed[k].Dies >= placed[i].Born;
                bool apart = placed[k].Offset + placed[k].Size <= placed[i].Offset || placed[i].Offset + placed[i].Size <= placed[k].Offset;
                Assert.True(!together || apart, $"tensor {i} overlaps tensor {k}");
            }
        }
        Assert.All(placed, tensor => Assert.Equal(0, tensor.Offset % MemoryPlan.Granularity));
        Assert.All(placed, tensor => Assert.True(tensor.Offset + tensor.Size <= plan.Length));
    }

    [Fact]
    public void AChainNeedsTwoTensorsOnly()
    {
        MemoryPlan plan = new();
        for (int step = 0; step < 1000; step++)
        {
            plan.Place(64, step, step + 1);
        }
        Assert.Equal(128, plan.Length);
        Assert.Equal(128, plan.PeakAlive);
    }

    /// <summary>Against a plan that looks at every element of the arena: the smallest gap that fits, the lowest of equals.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TheBestGapIsTaken(int seed)
    {
        Random random = new(seed);
        MemoryPlan plan = new();
        List<(int Offset, int End, int Dies)> placed = [];
        int length = 0;
        for (int step = 0; step < 400; step++)
        {
            int size = random.Next(1, 8) * MemoryPlan.Granularity;
            placed.RemoveAll(tensor => tensor.Dies < step);
            int expected = BestFit([.. placed.OrderBy(tensor => tensor.Offset)], length, size);
            length = Math.Max(length, expected + size);
            int dies = step + random.Next(0, 40);
            Assert.Equal(expected, plan.Place(size, step, dies));
            Assert.Equal(length, plan.Length);
            placed.Add((expected, expected + size, dies));
        }
    }

    private static int BestFit(List<(int Offset, int End, int Dies)> placed, int length, int size)
    {
        (int Gap, int Offset) best = (int.MaxValue, length);
        int at = 0;
        foreach ((int offset, int end) in placed.Select(tensor => (tensor.Offset, tensor.End)).Append((length, length)))
        {
            int gap = offset - at;
            if (gap >= size && gap < best.Gap)
            {
                best = (gap, at);
            }
            at = end;
        }
        return best.Offset;
    }
}
