using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>Losses, with their attributes as PyTorch names them.</summary>
public sealed class LossReferenceRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops =>
        ["cross_entropy", "nll_loss", "bce_with_logits", "bce_keras", "mse_loss", "l1_loss", "huber_loss", "hinge_loss", "kl_div"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        GraphRun<float> run = new();
        List<Value> inputs = [];
        foreach (string name in reference.Inputs)
        {
            Formats.SafeTensors.SafeTensor tensor = reference.Tensor(name);
            int[] shape = [.. tensor.Shape];
            bool indices = name == "target" && reference.Op is "cross_entropy" or "nll_loss" && tensor.DType == Formats.SafeTensors.SafeTensorType.I64;
            inputs.Add(indices
                ? run.Index(name, shape, tensor.ToInt64s().Select(label => checked((int)label)))
                : run.Real(name, shape, tensor.ToSingles()));
        }
        Value loss = run.Builder.Add("loss", OpOf(reference), inputs.ToArray());
        run.Output("loss", loss, reference.Upstream.Contains("loss") ? reference.Tensor("grad_output.loss").ToSingles() : null);
        run.Execute(reference.GradientInputs, threads: 2);
        List<string> mismatches = [];
        Note(reference.Mismatch("loss", run.Results["loss"]), mismatches);
        foreach (string name in reference.GradientInputs)
        {
            Note(reference.Mismatch("grad." + name, run.Gradients[name]), mismatches);
        }
        return mismatches;
    }

    private static Op OpOf(ReferenceCase reference)
    {
        LossReduction reduction = reference.TextAttribute("reduction") switch
        {
            "mean" => LossReduction.Mean,
            "sum" => LossReduction.Sum,
            "none" => LossReduction.None,
            "batchmean" => LossReduction.BatchMean,
            var other => throw new NotSupportedException($"reduction {other}"),
        };
        // PyTorch has the classes on axis 1, or on axis 0 for a single row.
        int classAxis = Math.Min(1, reference.Tensor(reference.Inputs[0]).Shape.Length - 1);
        return reference.Op switch
        {
            "cross_entropy" => new CrossEntropyLoss(
                OneHot: reference.Tensor("target").DType != Formats.SafeTensors.SafeTensorType.I64,
                LabelSmoothing: reference.Number("label_smoothing", 0),
                ClassWeights: reference.Inputs.Contains("class_weight"),
                IgnoreIndex: (int)reference.Number("ignore_index", -100), ClassAxis: classAxis, Reduction: reduction),
            "nll_loss" => new NegativeLogLikelihoodLoss((int)reference.Number("ignore_index", -100), classAxis, reduction),
            "bce_with_logits" => new BinaryCrossEntropyLoss(PositiveWeight: reference.Inputs.Contains("pos_weight"), Reduction: reduction),
            "bce_keras" => new BinaryCrossEntropyLoss(FromLogits: false, Epsilon: reference.Number("epsilon"), Reduction: reduction),
            "mse_loss" => new MeanSquaredErrorLoss(reduction),
            "l1_loss" => new MeanAbsoluteErrorLoss(reduction),
            "huber_loss" => new HuberLoss(reference.Number("delta", 1), reduction),
            "hinge_loss" => new HingeLoss(reduction),
            _ => new KullbackLeiblerLoss(reference.Flag("log_target"), Reduction: reduction),
        };
    }

    private static void Note(string? mismatch, List<string> mismatches)
    {
        if (mismatch is not null)
        {
            mismatches.Add(mismatch);
        }
    }
}
