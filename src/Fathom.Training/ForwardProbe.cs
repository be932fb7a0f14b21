using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training.Execution;

namespace Fathom.Training;

/// <summary>
/// Values inside the network for a few training rows, in evaluation mode: for a look now and then at what no step measures.
/// The rows are the same each time, from all over the data, so that what changes is the network.
/// </summary>
public sealed class ForwardProbe : IDisposable
{
    private readonly TrainingSession session;
    private readonly BatchFeed feed;
    private readonly ExecutionPlan<float> plan;
    private readonly int[] rows;

    internal ForwardProbe(TrainingSession session, int rows, IEnumerable<Value> values)
    {
        this.session = session;
        int count = session.Data.Training.Count, taken = Math.Clamp(rows, 1, count);
        this.rows = [.. Enumerable.Range(0, taken).Select(row => (int)((long)row * count / taken))];
        feed = new BatchFeed(session.Graph, session.Data.Training, session.Model.Plan.Loss, session.ClassWeights);
        plan = ExecutionPlan<float>.Create(session.Graph.Graph, taken, session.Parameters, session.Pool, [.. values.Append(session.Graph.Loss).Distinct()]);
    }

    /// <summary>Number of rows.</summary>
    public int Rows => rows.Length;

    /// <summary>The elements of one of the values asked for, as the last <see cref="Run"/> left them.</summary>
    public ReadOnlySpan<float> this[Value value] => plan.Real(value).Span;

    /// <summary>Extents of such a value.</summary>
    public int[] Extents(Value value) => value.Shape.Bind(Rows);

    /// <summary>One forward pass with the weights as they are now.</summary>
    public void Run()
    {
        feed.Fill(plan, rows);
        using FlushToZero flush = session.BeginFlush();
        plan.Run(training: false, session.Model.Plan.Seed, session.NextStep);
    }

    public void Dispose() => plan.Dispose();
}
