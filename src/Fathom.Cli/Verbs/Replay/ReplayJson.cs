using System.Text.Json.Nodes;
using Fathom.Diagnosis;
using Fathom.Training.Replay;

namespace Fathom.Cli.Verbs.Replay;

/// <summary>A replayed step for programs; docs/command-line.md describes it.</summary>
internal static class ReplayJson
{
    public static JsonObject Of(StepReplay replay)
    {
        StepCase step = replay.Case;
        return new JsonObject
        {
            ["schema"] = "fathom/1",
            ["id"] = step.Model.Name,
            ["replay"] = new JsonObject
            {
                ["step"] = step.Step,
                ["rows"] = step.Batch.Count,
                ["learning_rate"] = step.LearningRate,
                ["loss"] = FindingJson.Number(replay.Result.Loss),
                ["gradient_norm"] = FindingJson.Number(replay.Result.GradientNorm),
                ["finite"] = replay.IsFinite,
                ["micro_batch"] = replay.Sweep.MicroBatch,
                ["sources"] = new JsonArray([.. replay.Sweep.Sources.Select(source => (JsonNode)Tensor(source))]),
                ["producers"] = new JsonArray([.. replay.Sweep.Producers.Select(Producer), .. replay.UpdateProducers.Select(Update)]),
                ["propagators"] = Nodes(replay, NodeRole.Propagator),
                ["absorbers"] = Nodes(replay, NodeRole.Absorber),
                ["parameters"] = new JsonArray([.. replay.Updates.Select(update => (JsonNode)update.Parameter)]),
            },
        };
    }

    private static JsonArray Nodes(StepReplay replay, NodeRole role) =>
        new([.. replay.Sweep.Nodes.Where(node => node.Role == role).Select(node => (JsonNode)Node(node))]);

    private static JsonObject Node(NodeFacts facts) => new()
    {
        ["node"] = facts.Node.Name,
        ["op"] = facts.Node.Op.Kind,
        ["layer"] = facts.Layer.Name,
        ["pass"] = facts.Pass.ToString().ToLowerInvariant(),
        ["output"] = Tensor(facts.Output),
    };

    private static JsonNode Producer(NodeFacts facts)
    {
        JsonObject node = Node(facts);
        node["operands"] = new JsonArray([.. facts.Operands.Select(operand =>
        {
            JsonObject tensor = Tensor(operand.Tensor);
            tensor["at_first"] = FindingJson.Number(operand.AtFirstBad);
            return (JsonNode)tensor;
        })]);
        return node;
    }

    private static JsonNode Update(OptimizerFacts facts) => new JsonObject
    {
        ["node"] = facts.Parameter,
        ["pass"] = facts.Stage.ToString().ToLowerInvariant(),
        ["output"] = Tensor(facts.Tensor),
        ["weight"] = FindingJson.Number(facts.Value),
        ["gradient"] = FindingJson.Number(facts.Gradient),
        ["states"] = new JsonArray([.. facts.States.Select(FindingJson.Number)]),
        ["gradient_range"] = Tensor(facts.GradientRange),
    };

    private static JsonObject Tensor(TensorFacts facts) => new()
    {
        ["name"] = facts.Name,
        ["shape"] = new JsonArray([.. facts.Shape.Select(extent => (JsonNode)extent)]),
        ["nan"] = facts.NaN,
        ["positive_infinity"] = facts.PositiveInfinity,
        ["negative_infinity"] = facts.NegativeInfinity,
        ["first"] = facts.FirstBad < 0 ? null : Place(facts, facts.FirstBad),
        ["min"] = FindingJson.Number(facts.Min),
        ["min_at"] = facts.MinAt < 0 ? null : Place(facts, facts.MinAt),
        ["max"] = FindingJson.Number(facts.Max),
        ["max_at"] = facts.MaxAt < 0 ? null : Place(facts, facts.MaxAt),
    };

    private static JsonArray Place(TensorFacts facts, int place) => new([.. facts.Indices(place).Select(index => (JsonNode)index)]);
}
