using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Fathom.Cli.Arguments;
using Fathom.Runs;
using Fathom.Training;

namespace Fathom.Cli.Verbs;

/// <summary>What a run file says of a run before its first step.</summary>
internal static class RunHeaders
{
    private static readonly JsonSerializerOptions Names = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static RunHeader Of(LoadedModel loaded, TrainingSession session)
    {
        ModelDefinition model = loaded.Model;
        return new RunHeader
        {
            Name = model.Name,
            Model = loaded.Source(),
            Plan = Plan(model.Plan).ToJsonString(),
            Seed = model.Plan.Seed,
            Data = model.Data is { } data ? data.Source + (data.Validation is { } validation ? $", validation {validation}" : "") : session.Data.Training.Name,
            PlannedSteps = session.TotalSteps,
            ProgramVersion = CommandLine.Version,
        };
    }

    private static JsonObject Plan(TrainingPlan plan) => new()
    {
        ["loss"] = Component(plan.Loss),
        ["class_weights"] = plan.ClassWeights is not { } weights ? null : weights.IsBalanced ? "balanced" : new JsonArray([.. weights.Numbers.Select(weight => (JsonNode)weight)]),
        ["optimizer"] = Component(plan.Optimizer),
        ["schedule"] = Component(plan.Schedule),
        ["clip"] = plan.Clipping is null ? null : Component(plan.Clipping),
        ["regularization"] = plan.Regularization.Count == 0 ? null : new JsonArray([.. plan.Regularization.Select(Component)]),
        ["batch"] = plan.BatchSize == TrainingPlan.FullBatch ? "full" : plan.BatchSize,
        ["accumulate"] = plan.Accumulate,
        ["recompute"] = plan.Recompute,
        ["epochs"] = plan.Epochs,
        ["metrics"] = plan.Metrics.Count == 0 ? null : new JsonArray([.. plan.Metrics.Select(metric => (JsonNode)metric.Name)]),
        ["seed"] = plan.Seed,
    };

    private static JsonNode? Component(object component) => JsonSerializer.SerializeToNode(component, component.GetType(), Names);
}
