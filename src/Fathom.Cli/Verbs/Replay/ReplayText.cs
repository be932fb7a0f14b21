using Fathom.Cli.Rendering;
using Fathom.Graphs;
using Fathom.Training.Replay;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Replay;

/// <summary>A replayed step in words: who made the first non-finite values, from what, and where they went.</summary>
internal static class ReplayText
{
    /// <summary>Nodes of a list before the rest is only counted.</summary>
    private const int Shown = 6;

    /// <summary>Producers, which take several lines each.</summary>
    private const int ShownProducers = 3;

    public static void Write(Terminal terminal, StepReplay replay, bool verbose)
    {
        StepCase step = replay.Case;
        terminal.Line([
            ($"{step.Model.Name}, step {step.Step}", Tone.Heading),
            ($"  {step.Batch.Count} rows, learning rate {Number(step.LearningRate)}, loss {Number(replay.Result.Loss)}, gradient norm {Number(replay.Result.GradientNorm)}", Tone.Dim),
        ]);
        if (replay.IsFinite)
        {
            terminal.Line("every tensor of the step is finite, before and after it", Tone.Good);
            return;
        }
        foreach (TensorFacts source in replay.Sweep.Sources)
        {
            terminal.Line([("came in", Tone.Bad), ($"  {source.Name}: {Count(source)}, before anything was computed", Tone.Plain)]);
        }
        Each(terminal, [.. replay.Sweep.Producers], verbose, ShownProducers, producer => Producer(terminal, producer, replay.Sweep.MicroBatch));
        List(terminal, "passed on by", [.. replay.Sweep.Propagators], verbose);
        List(terminal, "taken in by", [.. replay.Sweep.Nodes.Where(node => node.Role == NodeRole.Absorber)], verbose);
        Updates(terminal, replay, verbose);
    }

    private static void Producer(Terminal terminal, NodeFacts producer, int part)
    {
        TensorFacts output = producer.Output;
        string micro = part > 0 ? $", in micro-batch {part + 1}" : "";
        terminal.Line([("producer", Tone.Bad), ($"  {Name(producer)}: {Count(output)}, first {Number(output.FirstBadValue)}{Place(output, output.FirstBad)}{micro}", Tone.Plain)]);
        foreach (Operand operand in producer.Operands)
        {
            string there = double.IsNaN(operand.AtFirstBad) ? "" : $", at the same place {Number(operand.AtFirstBad)}";
            terminal.Line($"    from {operand.Tensor.Name} ({string.Join(", ", operand.Tensor.Shape)}): {Range(operand.Tensor)}{there}", Tone.Dim);
        }
    }

    private static void Updates(Terminal terminal, StepReplay replay, bool verbose)
    {
        OptimizerFacts[] producers = [.. replay.UpdateProducers];
        Each(terminal, producers, verbose, ShownProducers, update => Update(terminal, replay, update));
        string[] left = [.. replay.Updates.Except(producers).Select(update => update.Parameter)];
        if (left.Length > 0)
        {
            terminal.Line($"  left in {left.Length} parameter{(left.Length == 1 ? "" : "s")}: {string.Join(", ", left.Take(verbose ? int.MaxValue : Shown))}{(left.Length > Shown && !verbose ? " …" : "")}", Tone.Dim);
        }
    }

    private static void List(Terminal terminal, string what, NodeFacts[] nodes, bool verbose)
    {
        if (nodes.Length == 0)
        {
            return;
        }
        terminal.Line($"  {what} {nodes.Length} node{(nodes.Length == 1 ? "" : "s")}:", Tone.Dim);
        Each(terminal, nodes, verbose, Shown, node => terminal.Line($"    {Name(node)}{(node.Output.IsFinite ? "" : $": {Count(node.Output)}")}", Tone.Dim));
    }

    /// <summary>The first few, and how many are left; all if asked for.</summary>
    private static void Each<T>(Terminal terminal, T[] items, bool verbose, int most, Action<T> write)
    {
        int shown = verbose ? items.Length : Math.Min(items.Length, most);
        foreach (T item in items.Take(shown))
        {
            write(item);
        }
        if (shown < items.Length)
        {
            terminal.Line($"    and {items.Length - shown} more; --verbose lists them", Tone.Dim);
        }
    }

    private static void Update(Terminal terminal, StepReplay replay, OptimizerFacts update)
    {
        TensorFacts tensor = update.Tensor;
        terminal.Line([("producer", Tone.Bad), ($"  {Stage(replay, update)} on {update.Parameter}: {Count(tensor)} in {tensor.Name}, first {Number(tensor.FirstBadValue)}{Place(tensor, tensor.FirstBad)}", Tone.Plain)]);
        string states = update.States.Count == 0 ? "" : $", optimizer state before {string.Join(", ", update.States.Select(Number))}";
        terminal.Line($"    from the weight {Number(update.Value)}, gradient {Number(update.Gradient)}{states}, learning rate {Number(replay.Case.LearningRate)}; whole gradient: {Range(update.GradientRange)}", Tone.Dim);
    }

    private static string Name(NodeFacts facts) => Name(facts.Node, facts.Pass);

    private static string Name(Node node, StepPass pass) => pass switch
    {
        StepPass.Backward => $"backward pass of {(node.Forward ?? node.Repeats ?? node).Name} ({node.Op.Kind})",
        StepPass.Loss => $"{(node.Name.StartsWith("loss", StringComparison.Ordinal) ? "" : "loss: ")}{node.Name} ({node.Op.Kind})",
        _ => $"{node.Name} ({node.Op.Kind})",
    };

    private static string Stage(StepReplay replay, OptimizerFacts update) => update.Stage switch
    {
        UpdateStage.Clipping => $"clipping {replay.Case.Model.Plan.Clipping?.Kind}",
        UpdateStage.Regularization => replay.Case.Model.Plan.Accumulate > 1 ? "the sum of micro-batches or regularization" : "regularization",
        UpdateStage.Backward => "the backward pass",
        _ => $"optimizer {replay.Case.Model.Plan.Optimizer.Kind}",
    };

    private static string Count(TensorFacts tensor)
    {
        string[] kinds = [.. new[] { (tensor.NaN, "NaN"), (tensor.PositiveInfinity, "+∞"), (tensor.NegativeInfinity, "-∞") }.Where(kind => kind.Item1 > 0).Select(kind => $"{kind.Item1} {kind.Item2}")];
        return $"{string.Join(", ", kinds)} of {tensor.Count}";
    }

    private static string Range(TensorFacts tensor) => tensor.MinAt < 0 ? "no finite element"
        : $"{Number(tensor.Min)}{Place(tensor, tensor.MinAt)} to {Number(tensor.Max)}{Place(tensor, tensor.MaxAt)}" + (tensor.IsFinite ? "" : $", and {Count(tensor)}");

    private static string Place(TensorFacts tensor, int place) => tensor.At(place) is { Length: > 0 } at ? $" at {at}" : "";
}
