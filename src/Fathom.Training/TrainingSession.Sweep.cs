using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Replay;

namespace Fathom.Training;

/// <content>Looking at every tensor of a step, not only at those that are watched.</content>
public sealed partial class TrainingSession
{
    /// <summary>Rows of a micro-batch if not the plan's: a replayed step has fewer rows than its run.</summary>
    internal int? MicroBatchRows { get; init; }

    /// <summary>The training rows that a step sees; valid until the next call.</summary>
    public ReadOnlySpan<int> RowsOf(long step) => order.Rows(step);

    /// <summary>The learning rate of the step that comes next, schedule included.</summary>
    public double NextLearningRate =>
        Model.Plan.Optimizer.LearningRate * LearningRateScale * (feedback?.Factor ?? 1) * Model.Plan.Schedule.Factor(NextStep, StepsPerEpoch, TotalSteps);

    /// <summary>
    /// Runs forward and backward pass of the next step with every tensor kept, micro-batch after micro-batch until one has
    /// non-finite values, and tells producers from propagators. Nothing of the session changes. Takes the memory of all tensors at once.
    /// </summary>
    public StepSweep Sweep()
    {
        Prepare();
        using FlushToZero flush = BeginFlush();
        float[] before = Parameters.Values.Span.ToArray();
        try
        {
            int[] rows = order.Rows(NextStep).ToArray();
            int parts = Parts(rows.Length);
            StepSweep? sweep = null;
            for (int part = 0; part < parts && (sweep is null || sweep.IsFinite); part++)
            {
                int start = (int)((long)rows.Length * part / parts), end = (int)((long)rows.Length * (part + 1) / parts);
                sweep = Sweep(rows.AsSpan(start, end - start), part, accumulator is null ? NextStep : NextStep * Model.Plan.Accumulate + part);
            }
            return sweep!;
        }
        finally
        {
            before.CopyTo(Parameters.Values.Span); // running statistics
        }
    }

    private StepSweep Sweep(ReadOnlySpan<int> rows, int part, long randomStep)
    {
        Value[] all = [.. Graph.Graph.Nodes.Where(node => node.Op is not Source).SelectMany(node => Enumerable.Range(0, node.Outputs.Length).Select(output => new Value(node, output)))];
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(Graph.Graph, rows.Length, Parameters, Pool, all);
        feed.Fill(plan, rows);
        (Value Value, TensorFacts Facts)[] sources = [.. all.SelectMany(value => value.Node.Inputs).Distinct()
            .Where(input => input.Node.Op is Input or Parameter && input.Type.Kind == ElementKind.Real)
            .Select(input => (input, Facts(plan, input))).Where(source => !source.Item2.IsFinite)];
        plan.Run(training: true, Model.Plan.Seed, randomStep);
        HashSet<Value> bad = [.. sources.Select(source => source.Value)];
        List<NodeFacts> nodes = [];
        HashSet<Node> network = [.. Model.Graph.Nodes];
        foreach (Node node in plan.Schedule.Where(node => node.Op is not Source))
        {
            StepPass pass = node.Forward is not null || node.Repeats is not null ? StepPass.Backward : network.Contains(node) ? StepPass.Forward : StepPass.Loss;
            if (FactsOf(plan, node, pass, bad) is { } facts)
            {
                nodes.Add(facts);
            }
        }
        return new StepSweep([.. sources.Select(source => source.Facts)], nodes, part, plan.Real(Graph.Loss).Span[0]);
    }

    /// <summary>What a node had to do with non-finite values, which it adds to; null if nothing.</summary>
    private static NodeFacts? FactsOf(ExecutionPlan<float> plan, Node node, StepPass pass, HashSet<Value> bad)
    {
        Value[] outputs = [.. Enumerable.Range(0, node.Outputs.Length).Select(output => new Value(node, output)).Where(output => output.Type.Kind == ElementKind.Real)];
        TensorFacts[] facts = [.. outputs.Select(output => Facts(plan, output))];
        bool tainted = node.Inputs.Any(bad.Contains);
        int first = Array.FindIndex(facts, fact => !fact.IsFinite);
        for (int i = 0; i < outputs.Length; i++)
        {
            if (!facts[i].IsFinite)
            {
                bad.Add(outputs[i]);
            }
        }
        if (facts.Length == 0 || (first < 0 && !tainted))
        {
            return null;
        }
        NodeRole role = first < 0 ? NodeRole.Absorber : tainted ? NodeRole.Propagator : NodeRole.Producer;
        TensorFacts shown = facts[Math.Max(0, first)];
        return new NodeFacts(node, pass, role, shown, role == NodeRole.Producer ? Operands(plan, node, shown) : []);
    }

    /// <summary>The inputs; where all have the output's shape, as of elementwise ops, with what stands where the output is bad.</summary>
    private static Operand[] Operands(ExecutionPlan<float> plan, Node node, TensorFacts output)
    {
        Value[] inputs = [.. node.Inputs.Where(input => input.Type.Kind == ElementKind.Real)];
        TensorFacts[] facts = [.. inputs.Select(input => Facts(plan, input))];
        bool same = facts.All(fact => fact.Shape.AsSpan().SequenceEqual(output.Shape));
        return [.. inputs.Select((input, i) => new Operand(facts[i], same ? plan.Real(input).Span[output.FirstBad] : double.NaN))];
    }

    private static TensorFacts Facts(ExecutionPlan<float> plan, Value value) => TensorFacts.Of(value.Name, value.Shape.Bind(plan.Batch), plan.Real(value).Span);
}
