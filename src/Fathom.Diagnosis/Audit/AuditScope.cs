using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Audit;

/// <summary>A model with its data, and what several rules want to know of them, computed when first asked for.</summary>
public sealed class AuditScope
{
    /// <summary>Values of inputs that scales are judged by; rows are left out evenly beyond it.</summary>
    private const int MostValues = 1_000_000;

    private readonly Lazy<FeatureFacts?> features;
    private readonly Lazy<RowGroups?> training;
    private readonly Lazy<InputPath> path;
    private readonly Lazy<int?> firstBadInput;

    public AuditScope(ModelDefinition model, DataSplit? data)
    {
        (Model, Data) = (model, data);
        path = new Lazy<InputPath>(() => InputPath.Of(model.Graph));
        features = new Lazy<FeatureFacts?>(() => Rows is { Count: > 0 } rows ? FeatureFacts.Measure(rows, Math.Max(256, MostValues / rows.Features)) : null);
        training = new Lazy<RowGroups?>(() => Rows is { Count: > 1 } rows ? RowGroups.Of(rows) : null);
        firstBadInput = new Lazy<int?>(() => Rows is { } rows && NonFiniteData.First(rows.Inputs) is >= 0 and int first ? first : null);
    }

    public ModelDefinition Model { get; }

    public DataSplit? Data { get; }

    /// <summary>What theory expects of the network at the start; null if it was not asked.</summary>
    public PropagationPrediction? Prediction { get; init; }

    /// <summary>The training rows; null without data.</summary>
    public DataSet? Rows => Data?.Training;

    /// <summary>Scales of the inputs, from a sample of the training rows; null without rows.</summary>
    public FeatureFacts? Features => features.Value;

    /// <summary>Which training rows have equal inputs; null for fewer than 2 rows.</summary>
    public RowGroups? Groups => training.Value;

    /// <summary>What happens to the inputs before the first layer with weights.</summary>
    public InputPath Input => path.Value;

    /// <summary>Position of the first input of the training rows that is no number; null if all are.</summary>
    public int? FirstBadInput => firstBadInput.Value;

    /// <summary>Whether the inputs are tokens and the like, which have no scale.</summary>
    public bool ReadsIndices => Model.Graph.Inputs.Any(input => input.Outputs[0].Kind == ElementKind.Index);

    /// <summary>Whether a step is proportional to the gradient's size, so that scales of inputs and targets reach the weights.</summary>
    public bool StepFollowsGradient => Model.Plan.Optimizer is Sgd or KerasSgd;

    /// <summary>The learning rate, with momentum as if all steps went the same way: η/(1 − m).</summary>
    public double LearningRate => Model.Plan.Optimizer switch
    {
        Sgd sgd => sgd.LearningRate / (1 - sgd.Momentum),
        KerasSgd sgd => sgd.LearningRate / (1 - sgd.Momentum),
        Optimizer other => other.LearningRate,
    };

    /// <summary>Layers with weights that no other such layer stands before.</summary>
    public ImmutableArray<string> FirstLayers => Input.Readers;

    /// <summary>The node that makes the output.</summary>
    public Node Output => OutputMatch.OutputOf(Model.Graph);

    /// <summary>«feature 3», or the feature's name.</summary>
    public string FeatureName(int feature) => Rows is { FeatureNames.IsEmpty: false } rows ? $"'{rows.FeatureNames[feature]}'" : $"feature {feature + 1}";

    /// <summary>« (from 2,551 of 60,000 rows)» where not all were looked at.</summary>
    public string Sampled(int seen) => Rows is { } rows && seen < rows.Count ? FormattableString.Invariant($" (from {seen:N0} of {rows.Count:N0} rows)") : "";
}

/// <summary>What a network does to its inputs before the first layer with weights.</summary>
/// <param name="Factor">What they are multiplied by.</param>
/// <param name="Offset">What is added then.</param>
/// <param name="IsNormalized">Whether they are normalized, whatever their scale.</param>
/// <param name="IsNormalizedByFeature">Whether each feature is normalized by itself, as batch normalization does.</param>
/// <param name="Readers">The layers that read them then.</param>
public sealed record InputPath(double Factor, double Offset, bool IsNormalized, bool IsNormalizedByFeature, ImmutableArray<string> Readers)
{
    internal static InputPath Of(Graph graph)
    {
        InputPath path = new(1, 0, false, false, []);
        if (graph.Inputs.FirstOrDefault() is not { } input)
        {
            return path;
        }
        LayerReaders readers = new(graph);
        Value at = input.Output;
        while (readers.Of(at) is [{ } only])
        {
            if (only.Op is BatchNorm or LayerNorm or RmsNorm or GroupNorm)
            {
                path = path with { IsNormalized = true, IsNormalizedByFeature = path.IsNormalizedByFeature || only.Op is BatchNorm };
            }
            else if (only.Op is Rescaling rescaling)
            {
                path = path with { Factor = path.Factor * rescaling.Factor, Offset = path.Offset * rescaling.Factor + rescaling.Offset };
            }
            else if (!(only.Op.IsView || only.Op is Transpose or DropoutOp or GaussianNoise))
            {
                break;
            }
            at = only.Output;
        }
        return path with { Readers = [.. readers.Of(at).Select(node => node.Name)] };
    }
}
