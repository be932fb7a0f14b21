using System.Collections.Immutable;
using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Standardizes the inputs by a first layer: one factor and offset from the training rows for all features, or, where features
/// differ in scale, a batch normalization without learnt numbers, which sees to each by itself.
/// </summary>
public sealed class InputScaling : Remedy
{
    /// <summary>Root mean squares, and distances of the mean in standard deviations, that initialization bears.</summary>
    private const double Small = 0.1, Large = 3, Far = 2;

    /// <summary>Widest over narrowest feature from which one factor for all is not enough.</summary>
    private const double Unequal = 10;

    /// <summary>A mean, in standard deviations, that is as good as 0.</summary>
    private const double Negligible = 1e-3;

    /// <summary>Batches below this make a batch's statistics too noisy to rely on.</summary>
    private const int SmallestBatch = 8;

    public override string Kind => "input_scaling";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "inputs with a root mean square below 0.1 or above 3, a mean 2 standard deviations or more from 0, or features whose deviations differ 10 times and of which a rule speaks; no normalization of them yet";

    public override string Effect => "inputs of mean 0 and variance 1 are what initialization reckons with; a common offset or size would saturate the first layer and stretch the loss's valley";

    public override string Source => "LeCun et al. 1998, section 4.3; numbers from the training rows";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        InputPath path = InputPath.Of(model.Graph);
        if (history.Data is not { Count: > 1 } data || path.IsNormalized || model.Graph.Inputs.ToArray() is not [{ Outputs: [{ Kind: ElementKind.Real }] } input])
        {
            yield break;
        }
        double mean = path.Factor * data.Statistics.Mean + path.Offset, deviation = Math.Abs(path.Factor) * Math.Sqrt(data.Statistics.Variance);
        double size = Math.Sqrt(mean * mean + deviation * deviation);
        // Pixels that are seldom other than 0 differ as well, and do no harm: a rule must have said so.
        bool unequal = IsUnequal(data) && (history.Has(Causes.UnscaledInput) || history.Asks(Kind));
        bool wrong = size is < Small or > Large || Math.Abs(mean) > Far * deviation;
        bool replaceable = (path.Factor == 1 && path.Offset == 0) || HiddenLayers.Readers(model.Graph, input).All(reader => reader.Op is Rescaling);
        if (!(deviation > 0) || !double.IsFinite(size) || !(wrong || unequal) || !replaceable)
        {
            yield break;
        }
        // What the rows are, before any rescaling that the network has already.
        double factor = Rounded.To(1 / Math.Sqrt(data.Statistics.Variance), 4), offset = Math.Abs(data.Statistics.Mean * factor) < Negligible ? 0 : Rounded.To(-data.Statistics.Mean * factor, 4);
        Op[] choices = [new Rescaling(factor, offset), new BatchNorm(Affine: false, ChannelsLast: input.Outputs[0].Shape.Rank == 3)];
        if (unequal)
        {
            Array.Reverse(choices);
        }
        foreach (Op op in choices)
        {
            bool possible = op is Rescaling || (model.Plan.BatchSize >= SmallestBatch && input.Outputs[0].Shape.Rank >= 2);
            if (possible)
            {
                string name = op is Rescaling ? $"inputs × {Number(factor)}{(offset == 0 ? "" : offset < 0 ? $" − {Number(-offset)}" : $" + {Number(offset)}")}" : "inputs normalized feature by feature";
                yield return new Prescription(this, name, old => Insert(old, op));
            }
        }
    }

    private static bool IsUnequal(DataSet data)
    {
        double[] widths = [.. data.Statistics.FeatureDeviations.Where(width => width > 0).Order()];
        return widths.Length > 1 && widths[^1] >= Unequal * widths[(widths.Length - 1) / 4];
    }

    /// <summary>Puts a layer between the input and all that reads it; a rescaling that stands there already gives way.</summary>
    private static ModelDefinition Insert(ModelDefinition model, Op op)
    {
        Node input = model.Graph.Inputs.First();
        Value? scaled = null;
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) =>
            {
                if (!node.Inputs.Contains(input.Output))
                {
                    return null;
                }
                scaled ??= rewriter.Builder.Layer(op, HiddenLayers.FreeName(rewriter, model.Graph, op is Rescaling ? "input_scale" : "input_norm"), [rewriter.Mapped(input.Output)]);
                return node.Op is Rescaling ? scaled : HiddenLayers.Rewired(rewriter, node, value => value == input.Output ? scaled : null);
            }),
        };
    }
}
