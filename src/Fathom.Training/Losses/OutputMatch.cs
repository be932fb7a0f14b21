using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using static System.FormattableString;

namespace Fathom.Training.Losses;

/// <summary>An output that does not suit the loss that reads it.</summary>
/// <param name="Output">The node that makes the output.</param>
/// <param name="Fails">True where training cannot get anywhere, or to something else than was meant; false where it is only slowed down.</param>
/// <param name="Problem">What is wrong, as a sentence without its full stop.</param>
/// <param name="Action">What would be right, as the rest of that sentence.</param>
public sealed record OutputMismatch(Node Output, bool Fails, string Problem, string Action)
{
    /// <summary>Both in one sentence.</summary>
    public string Text => $"{Problem}{(Problem.Contains(':') ? ';' : ':')} {Action}";
}

/// <summary>
/// Which outputs suit which loss and which targets: the one table, for readers of model files and for the audit before
/// training. An output of a kind that it does not know is taken to be right.
/// </summary>
public static class OutputMatch
{
    /// <summary>The node whose function decides what values the network gives: behind it only come changes of shape and the like.</summary>
    public static Node OutputOf(Graph graph)
    {
        Node node = graph.Output.Node;
        while ((node.Op.IsView || node.Op is Linear or DropoutOp) && node.DataInputs.Count() == 1 && node.DataInputs.First().Index == 0)
        {
            node = node.DataInputs.First().Node;
        }
        return node;
    }

    /// <summary>Columns of the output: the extent of its last axis.</summary>
    public static int Columns(Graph graph) => graph.Output.Shape is { Rank: > 0 } shape && !shape[^1].PerSample ? shape[^1].Size : 1;

    /// <summary>The mismatches of a network's output and its loss.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="data">The training data, which say what the targets are; null if they are not known.</param>
    public static IEnumerable<OutputMismatch> Of(Graph graph, Loss loss, DataSet? data = null)
    {
        Node output = OutputOf(graph);
        int columns = Columns(graph);
        (bool Fails, string Problem, string Action)? found = loss switch
        {
            CrossEntropy { FromLogits: true } => CrossEntropyOfLogits(output, columns, loss),
            CrossEntropy => CrossEntropyOfProbabilities(output, columns, loss),
            BinaryCrossEntropy { FromLogits: true } => BinaryOfLogits(output, columns, loss),
            BinaryCrossEntropy => BinaryOfProbabilities(output, columns, loss),
            NegativeLogLikelihood or KullbackLeibler { FromProbabilities: false } => OfLogProbabilities(output, loss),
            KullbackLeibler => CrossEntropyOfProbabilities(output, columns, loss),
            Hinge => OfHinge(output),
            Margin => OfMargin(output),
            _ => OfValues(output, columns, loss, data),
        };
        if (found is { } mismatch)
        {
            yield return new OutputMismatch(output, mismatch.Fails, $"{output.Name} ({output.Op.Kind}) {mismatch.Problem}", mismatch.Action);
        }
    }

    private static (bool, string, string)? CrossEntropyOfLogits(Node output, int columns, Loss loss) => output.Op switch
    {
        _ when columns == 1 => (true, $"has one column, of which a softmax is always 1: the loss {loss.Kind} is 0 and gives no gradient", "have a column for each class, or take binary_cross_entropy"),
        Softmax or Sigmoid or HardSigmoid => (true, $"gives probabilities, but the loss {loss.Kind} takes logits and applies a softmax of its own", $"leave {output.Name} out, or set from_logits: false"),
        // The best that logits from −1 to 1 can say is e/(e + (C − 1)/e).
        Tanh or Softsign or HardTanh or Erf => (false, Invariant($"keeps logits between -1 and 1, so that the loss {loss.Kind} stays above {Math.Log(1 + (columns - 1) * Math.Exp(-2)):0.##} even where every class is right"), $"leave {output.Name} out"),
        Relu or Relu6 or Softplus => (false, $"gives no negative logits, and a class whose logit is 0 for all samples gets no gradient", $"leave {output.Name} out"),
        _ => null,
    };

    private static (bool, string, string)? CrossEntropyOfProbabilities(Node output, int columns, Loss loss) => output.Op switch
    {
        _ when columns == 1 && loss is CrossEntropy => (true, $"has one column, which divided by its sum is always 1: the loss {loss.Kind} gives no gradient", "have a column for each class, or take binary_cross_entropy"),
        Dense or ConvolutionOp or Relu or Relu6 or Tanh or Softsign or HardTanh or Softplus or LogSoftmax => NoProbabilities(output, loss, "softmax"),
        Sigmoid or HardSigmoid => (false, $"gives each class a probability of its own, but the loss {loss.Kind} takes rows that sum to 1", "end in a softmax, or take binary_cross_entropy"),
        _ => null,
    };

    private static (bool, string, string)? BinaryOfLogits(Node output, int columns, Loss loss) => output.Op switch
    {
        Softmax when columns == 1 => OneColumnSoftmax,
        Softmax or Sigmoid or HardSigmoid => (true, $"gives probabilities, but the loss {loss.Kind} takes logits and applies a sigmoid of its own", $"leave {output.Name} out, or set from_logits: false"),
        Relu or Relu6 or Softplus => (true, $"gives no negative logits, so that no answer is ever below 50 %", $"leave {output.Name} out"),
        Tanh or Softsign or HardTanh or Erf => (false, $"keeps logits between -1 and 1, which are probabilities between 27 % and 73 %", $"leave {output.Name} out"),
        _ => null,
    };

    private static (bool, string, string)? BinaryOfProbabilities(Node output, int columns, Loss loss) => output.Op switch
    {
        Softmax when columns == 1 => OneColumnSoftmax,
        Dense or ConvolutionOp or Relu or Relu6 or Tanh or Softsign or HardTanh or Softplus or LogSoftmax => NoProbabilities(output, loss, "sigmoid"),
        Softmax when columns > 2 => (false, $"makes its columns sum to 1, but the loss {loss.Kind} takes each as a question of its own", "take cross_entropy, or end in a sigmoid"),
        _ => null,
    };

    private static (bool, string, string)? OfLogProbabilities(Node output, Loss loss) => output.Op switch
    {
        LogSoftmax => null,
        Softmax or Sigmoid or HardSigmoid => (true, $"gives probabilities, but the loss {loss.Kind} takes their logarithms", "end in log_softmax, or take cross_entropy with from_logits: false"),
        Dense or ConvolutionOp or Relu or Relu6 or Softplus => (true, $"gives any numbers, but the loss {loss.Kind} takes log-probabilities and falls without end where they are not", "end in log_softmax, or take cross_entropy"),
        _ => null,
    };

    private static (bool, string, string)? OfHinge(Node output) => output.Op switch
    {
        Softmax or Sigmoid or HardSigmoid or Relu or Relu6 or Softplus => (true, $"gives no negative scores, but the loss hinge wants -1 and below for one of the two classes", $"leave {output.Name} out, or take tanh"),
        _ => null,
    };

    private static (bool, string, string)? OfMargin(Node output) => output.Op is Dense or ConvolutionOp
        ? (true, "gives any numbers, but the loss margin takes lengths of capsules from 0 to 1", "end in capsule_length")
        : null;

    private static (bool, string, string)? OfValues(Node output, int columns, Loss loss, DataSet? data)
    {
        if (output.Op is Softmax && columns == 1)
        {
            return OneColumnSoftmax;
        }
        if (data is not { Kind: TargetKind.Label })
        {
            return null;
        }
        if (columns == 1 && data.Classes > 2)
        {
            return (!data.ClassNames.IsEmpty, $"is one number, fitted by {loss.Kind} to the numbers of {data.Classes} classes, as if class 2 lay between 1 and 3", "have a column for each class and take cross_entropy");
        }
        return output.Op switch
        {
            // dL/du carries the factor y(1 − y): Golik, Doetsch and Ney 2013.
            Softmax or Sigmoid or HardSigmoid => (false, $"with the loss {loss.Kind} on class labels: its gradient fades where the network is surely wrong", $"take {(columns == 1 ? "binary_cross_entropy" : "cross_entropy")}"),
            Tanh or Softsign or HardTanh => (false, $"gives -1 to 1, but the labels are taken as 0 and 1: half of its range is of no use, and 1 lies where it is flat", "take cross_entropy on logits, or end in a sigmoid"),
            Relu or Relu6 => (false, $"gets no gradient where it is 0, which for the loss {loss.Kind} on one-hot labels is most of the time", $"leave {output.Name} out"),
            _ => null,
        };
    }

    private static readonly (bool, string, string) OneColumnSoftmax = (true, "is a softmax of one column, which is always 1: it learns nothing", "take a sigmoid, or a column for each class");

    private static (bool, string, string) NoProbabilities(Node output, Loss loss, string wanted) =>
        (true, $"gives {(output.Op is LogSoftmax ? "logarithms" : "any numbers")}, but the loss {loss.Kind} takes probabilities", $"end in a {wanted}{(loss is KullbackLeibler ? "" : ", or set from_logits: true")}");
}
