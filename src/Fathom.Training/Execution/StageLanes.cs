namespace Fathom.Training.Execution;

/// <summary>
/// The tasks of a stage by the thread that they are meant for. A job's parts are dealt out to threads in turn, so they are put
/// down in rows of one task for each thread; where one has fewer than another there is an empty task.
/// </summary>
internal sealed class StageLanes
{
    private readonly Lane[] lanes;

    public StageLanes(int threads)
    {
        lanes = new Lane[threads];
        for (int i = 0; i < threads; i++)
        {
            lanes[i] = new Lane();
        }
    }

    /// <summary>The thread with the fewest tasks.</summary>
    public int Shortest
    {
        get
        {
            int shortest = 0;
            for (int i = 1; i < lanes.Length; i++)
            {
                shortest = lanes[i].Ends.Count < lanes[shortest].Ends.Count ? i : shortest;
            }
            return shortest;
        }
    }

    public void Clear()
    {
        foreach (Lane lane in lanes)
        {
            lane.Calls.Clear();
            lane.Ends.Clear();
            lane.Size = 0;
        }
    }

    public void Add(int lane, StageCall call) => lanes[lane].Calls.Add(call);

    /// <summary>Adds a call, and ends the task once it is worth handing over.</summary>
    public void Add(int lane, StageCall call, double size, double least)
    {
        Add(lane, call);
        lanes[lane].Size += size;
        if (lanes[lane].Size >= least)
        {
            EndTask(lane);
        }
    }

    public void EndTask(int lane)
    {
        Lane ended = lanes[lane];
        ended.Size = 0;
        if (ended.Calls.Count > (ended.Ends.Count == 0 ? 0 : ended.Ends[^1]))
        {
            ended.Ends.Add(ended.Calls.Count);
        }
    }

    public void EndTasks()
    {
        for (int lane = 0; lane < lanes.Length; lane++)
        {
            EndTask(lane);
        }
    }

    /// <summary>Appends all tasks, row by row, and forgets them.</summary>
    /// <param name="calls">Receives their calls.</param>
    /// <param name="tasks">Receives where each of them ends.</param>
    public void MoveTo(List<StageCall> calls, List<int> tasks)
    {
        int rows = 0;
        foreach (Lane lane in lanes)
        {
            rows = Math.Max(rows, lane.Ends.Count);
        }
        for (int row = 0; row < rows; row++)
        {
            foreach (Lane lane in lanes)
            {
                for (int i = row == 0 ? 0 : row <= lane.Ends.Count ? lane.Ends[row - 1] : lane.Calls.Count; row < lane.Ends.Count && i < lane.Ends[row]; i++)
                {
                    calls.Add(lane.Calls[i]);
                }
                tasks.Add(calls.Count);
            }
        }
        Clear();
    }

    private sealed class Lane
    {
        public List<StageCall> Calls { get; } = [];

        /// <summary>Where each task ends among the calls.</summary>
        public List<int> Ends { get; } = [];

        /// <summary>What the task in hand takes.</summary>
        public double Size { get; set; }
    }
}
