using System.Collections.Immutable;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Pretraining;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Trains each hidden layer to represent the one before it, without labels, before training as usual.</summary>
public sealed class LayerwisePretraining : Remedy
{
    /// <summary>
    /// Passes per layer at most. A pass over one layer costs about what it has of a pass over all, so that half as many passes
    /// as the plan has epochs make the run about half as long again.
    /// </summary>
    private const int MostEpochs = 10;

    public override string Kind => "pretraining";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "a chain of dense layers, three hidden ones or more, without pre-training or LSUV";

    public override string Effect => "each layer starts where it passes on what the data hold, learnt from the layer before it alone, so that no gradient has to come through the depth";

    public override string Source => "Hinton, Osindero and Teh 2006 (RBM, sigmoid units); Bengio et al. 2007 (autoencoder, others)";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Pretraining is not null || model.Plan.Initialization is not null || HiddenLayers.Activations(model.Graph).Count() < 3)
        {
            yield break;
        }
        int epochs = Math.Clamp(model.Plan.Epochs / 2, 1, MostEpochs);
        bool sigmoids = HiddenLayers.Activations(model.Graph).All(node => node.Op is Sigmoid);
        PretrainingRule rule = sigmoids ? new RbmPretraining(epochs) : new AutoencoderPretraining(epochs);
        if (IsChain(model, rule))
        {
            yield return new Prescription(this, sigmoids ? "greedy pre-training by RBMs" : "greedy pre-training by autoencoders", old => old with { Plan = old.Plan with { Pretraining = rule, Initialization = null } });
        }
    }

    private static bool IsChain(ModelDefinition model, PretrainingRule rule)
    {
        try
        {
            rule.RequireChain(model.Graph);
            return true;
        }
        catch (TrainingException)
        {
            return false;
        }
    }
}
