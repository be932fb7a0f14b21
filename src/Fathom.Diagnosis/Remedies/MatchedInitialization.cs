using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Draws each layer's weights at the variance that suits the function that reads it: He for the ReLU family, LeCun for
/// SELU, Xavier otherwise; biases at 0.
/// </summary>
public sealed class MatchedInitialization : Remedy
{
    public override string Kind => "initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "dense layers or convolutions whose weights are not drawn that way yet";

    public override string Effect => "weights drawn so that fan-in · Var(w) · E[φ'²] is near 1 keep the gradient's norm from layer to layer";

    public override string Source => "He et al. 2015 (ReLU family); LeCun et al. 1998 and Klambauer et al. 2017 (SELU); Glorot and Bengio 2010 (others)";

    protected override ImmutableArray<string>? MadeFor => [Causes.BadInitialization, Causes.Vanishing, Causes.Exploding];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (TryRewrite(model) is { } matched && !SameInitializers(matched.Graph, model.Graph))
        {
            yield return new Prescription(this, "initialization matched to activation", Rewrite);
        }
    }

    /// <summary>Null if two layers share weights that would have to be drawn in two ways.</summary>
    internal static ModelDefinition? TryRewrite(ModelDefinition model)
    {
        try
        {
            return Rewrite(model);
        }
        catch (GraphException)
        {
            return null;
        }
    }

    /// <summary>The initializer for weights that a given function reads.</summary>
    public static Initializer For(Op? activation)
    {
        double scale = activation is Activation function ? Math.Round(function.RecommendedWeightGain * function.RecommendedWeightGain, 12) : 1;
        return scale switch
        {
            2 => VarianceScaling.HeNormal,
            1 => activation is Selu ? VarianceScaling.LeCunNormal : VarianceScaling.XavierNormal,
            _ => new VarianceScaling(scale, FanMode.In, WeightDistribution.Normal),
        };
    }

    internal static ModelDefinition Rewrite(ModelDefinition model)
    {
        LayerReaders readers = new(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => HiddenLayers.IsWeighted(node)
                ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? For(HiddenLayers.FunctionAfter(readers, node)) : HiddenLayers.OpensGate(model.Graph, node) ? old : ConstantInitializer.Zeros)
                : null),
        };
    }

    private static bool SameInitializers(Graph a, Graph b) =>
        a.Parameters.Select(node => ((Parameter)node.Op).Initializer).SequenceEqual(b.Parameters.Select(node => ((Parameter)node.Op).Initializer));
}
