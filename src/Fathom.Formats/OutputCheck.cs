using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Formats;

/// <summary>Finds outputs that a loss takes for something else: a frequent slip that trains, but badly.</summary>
internal static class OutputCheck
{
    /// <summary>One line for each mismatch of output and loss.</summary>
    public static IEnumerable<string> Warnings(ModelDefinition model)
    {
        Node output = model.Graph.Output.Node;
        Loss loss = model.Plan.Loss;
        bool probabilities = output.Op is Softmax or Sigmoid;
        if (probabilities && loss.Output == OutputMeaning.Logits)
        {
            yield return $"{output.Name} ({output.Op.Kind}) gives probabilities, but the loss {loss.Kind} takes logits and applies a {(loss is BinaryCrossEntropy ? "sigmoid" : "softmax")} of its own: leave {output.Name} out, or set from_logits: false";
        }
        else if (loss is Margin && output.Op is Dense or Linear)
        {
            yield return $"{output.Name} ({output.Op.Kind}) gives any numbers, but the loss {loss.Kind} takes lengths of capsules from 0 to 1: end in capsule_length";
        }
        else if (loss is not Margin && loss.Output == OutputMeaning.Probabilities && (output.Op is Dense or Linear or Relu))
        {
            yield return $"{output.Name} ({output.Op.Kind}) gives any numbers, but the loss {loss.Kind} takes probabilities: end in a {(loss is BinaryCrossEntropy ? "sigmoid" : "softmax")}, or set from_logits: true";
        }
    }
}
