using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Orthogonal weights, whose singular values are all equal, at a gain that makes up for the activation (Saxe et al. 2013); of
/// convolutions at the kernel's centre (Xiao et al. 2018).
/// </summary>
public sealed class OrthogonalInitialization : Remedy
{
    public override string Kind => "initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "dense layers or convolutions, none of them orthogonal yet";

    public override string Effect => "orthogonal weights shrink or stretch no direction of the gradient more than another";

    public override string Source => "Saxe et al. 2013; convolutions: Xiao et al. 2018";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        bool already = model.Graph.Parameters.Any(node => ((Parameter)node.Op).Initializer is Orthogonal or DeltaOrthogonal);
        if (!already && model.Graph.Nodes.Any(HiddenLayers.IsWeighted))
        {
            yield return new Prescription(this, "orthogonal initialization", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        LayerReaders readers = new(model.Graph);
        double Gain(Node layer) => HiddenLayers.FunctionAfter(readers, layer)?.RecommendedWeightGain ?? 1;
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => HiddenLayers.IsWeighted(node)
                ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? For(node, Gain(node)) : HiddenLayers.OpensGate(model.Graph, node) ? old : ConstantInitializer.Zeros)
                : null),
        };
    }

    /// <summary>For a convolution a kernel that is orthogonal at its centre, unless it has fewer outputs than inputs.</summary>
    private static Initializer For(Node layer, double gain)
    {
        DeltaOrthogonal kernel = new(gain);
        bool fits = layer.Op is ConvolutionOp && kernel.Requirement(layer.Inputs[1].Shape) is null;
        return fits ? kernel : new Orthogonal(gain);
    }
}
