using System.Text.Json.Nodes;

namespace Fathom.Bench;

/// <summary>What one thing took in one turn.</summary>
/// <param name="Milliseconds">Wall time of each step.</param>
/// <param name="CpuMilliseconds">CPU time of the whole process by step: on one thread, what a step would take on a quiet machine.</param>
public sealed record Turn(IReadOnlyList<double> Milliseconds, double CpuMilliseconds)
{
    public double Median => Samples.MedianOf(Milliseconds);
}

/// <summary>Something that can be measured in turns.</summary>
public interface ILane
{
    string Name { get; }

    /// <summary>Steps for about this long, and at least a few.</summary>
    Turn Run(double seconds);
}

/// <summary>All turns of one lane.</summary>
public sealed class Samples(string name)
{
    private readonly List<Turn> turns = [];

    public string Name { get; } = name;

    /// <summary>Median over all steps, in ms.</summary>
    public double Median => MedianOf(turns.SelectMany(turn => turn.Milliseconds));

    /// <summary>The fastest step, in ms.</summary>
    public double Minimum => turns.Min(turn => turn.Milliseconds.Min());

    /// <summary>Median of the best turn, in ms: what a spell without noise gives.</summary>
    public double BestTurn => turns.Min(turn => turn.Median);

    public double Cpu => turns.Min(turn => turn.CpuMilliseconds);

    public int Steps => turns.Sum(turn => turn.Milliseconds.Count);

    /// <summary>Measures lanes in turn, each second round in reverse order, so that a drift of the machine hits all alike.</summary>
    public static IReadOnlyList<Samples> Interleave(IReadOnlyList<ILane> lanes, int rounds, double seconds)
    {
        Samples[] samples = [.. lanes.Select(lane => new Samples(lane.Name))];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < lanes.Count; i++)
            {
                int lane = round % 2 == 0 ? i : lanes.Count - 1 - i;
                samples[lane].turns.Add(lanes[lane].Run(seconds));
            }
        }
        return samples;
    }

    /// <summary>Median over the rounds of this lane's time over another's in the same round, with the least and the greatest.</summary>
    public (double Median, double Least, double Greatest) RatioTo(Samples other)
    {
        double[] ratios = [.. turns.Zip(other.turns, (mine, theirs) => mine.Median / theirs.Median)];
        return (MedianOf(ratios), ratios.Min(), ratios.Max());
    }

    public JsonObject ToJson() => new()
    {
        ["median_ms"] = Math.Round(Median, 4),
        ["min_ms"] = Math.Round(Minimum, 4),
        ["best_turn_median_ms"] = Math.Round(BestTurn, 4),
        ["cpu_ms"] = Math.Round(Cpu, 4),
        ["turn_medians_ms"] = new JsonArray([.. turns.Select(turn => (JsonNode)Math.Round(turn.Median, 4))]),
        ["steps"] = Steps,
    };

    public static double MedianOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
