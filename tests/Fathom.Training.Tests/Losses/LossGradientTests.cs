using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Training.Tests.Losses;

/// <summary>Every loss op against central differences in float64.</summary>
public sealed class LossGradientTests
{
    private static readonly double[] Logits = [.. Enumerable.Range(0, 24).Select(i => 2.5 * Math.Sin(1.3 * i + 0.4))];
    private static readonly double[] Shares = [.. Logits.Select(x => 0.05 + 0.9 / (1 + Math.Exp(-x)))];
    private static readonly double[] Soft = [.. Enumerable.Range(0, 24).Select(i => 0.5 + 0.45 * Math.Cos(2.1 * i))];
    private static readonly double[] Signs = [.. Enumerable.Range(0, 24).Select(i => i % 3 == 0 ? -1.0 : 1.0)];
    private static readonly double[] Weights = [0.5, 2, 1.25, 0.75];
    private static readonly int[] Labels = [2, 0, 3, 1, 3, 2];

    private static readonly Dictionary<string, Case> Cases = new()
    {
        ["mse"] = new(new MeanSquaredErrorLoss(), Logits, Soft),
        ["mse sum"] = new(new MeanSquaredErrorLoss(LossReduction.Sum), Logits, Soft),
        ["mse none"] = new(new MeanSquaredErrorLoss(LossReduction.None), Logits, Soft),
        ["mae"] = new(new MeanAbsoluteErrorLoss(), Logits, Soft),
        ["huber"] = new(new HuberLoss(0.7), Logits, Soft),
        ["hinge"] = new(new HingeLoss(), Logits, Signs),
        ["margin"] = new(new MarginLoss(), Shares, Soft),
        ["margin settings"] = new(new MarginLoss(0.8, 0.2, 0.3, LossReduction.Sum), Shares, Soft),
        ["bce"] = new(new BinaryCrossEntropyLoss(), Logits, Soft),
        ["bce none"] = new(new BinaryCrossEntropyLoss(Reduction: LossReduction.None), Logits, Soft),
        ["bce weighted"] = new(new BinaryCrossEntropyLoss(PositiveWeight: true), Logits, Soft, Extra: Weights),
        ["bce probabilities"] = new(new BinaryCrossEntropyLoss(FromLogits: false), Shares, Soft),
        ["kl"] = new(new KullbackLeiblerLoss(), Logits, Soft),
        ["kl log target"] = new(new KullbackLeiblerLoss(LogTarget: true), Logits, Logits),
        ["kl probabilities"] = new(new KullbackLeiblerLoss(FromProbabilities: true), Shares, Soft),
        ["nll"] = new(new NegativeLogLikelihoodLoss(), Logits, null),
        ["nll none"] = new(new NegativeLogLikelihoodLoss(Reduction: LossReduction.None), Logits, null),
        ["nll weighted"] = new(new NegativeLogLikelihoodLoss(ClassWeights: true), Logits, null, Extra: Weights),
        ["nll weighted, sum, ignore"] = new(new NegativeLogLikelihoodLoss(IgnoreIndex: 3, Reduction: LossReduction.Sum, ClassWeights: true), Logits, null, Extra: Weights),
        ["nll weighted, none"] = new(new NegativeLogLikelihoodLoss(Reduction: LossReduction.None, ClassWeights: true), Logits, null, Extra: Weights),
        ["ce"] = new(new CrossEntropyLoss(), Logits, null),
        ["ce sum"] = new(new CrossEntropyLoss(Reduction: LossReduction.Sum), Logits, null),
        ["ce none"] = new(new CrossEntropyLoss(Reduction: LossReduction.None), Logits, null),
        ["ce ignore"] = new(new CrossEntropyLoss(IgnoreIndex: 3), Logits, null),
        ["ce smoothed, weighted"] = new(new CrossEntropyLoss(LabelSmoothing: 0.2, ClassWeights: true), Logits, null, Extra: Weights),
        ["ce one-hot"] = new(new CrossEntropyLoss(OneHot: true, LabelSmoothing: 0.1), Logits, Soft),
        ["ce probabilities"] = new(new CrossEntropyLoss(FromLogits: false), Shares, null),
        ["ce probabilities one-hot"] = new(new CrossEntropyLoss(FromLogits: false, OneHot: true), Shares, Soft),
        ["ce probabilities smoothed, weighted"] = new(new CrossEntropyLoss(FromLogits: false, LabelSmoothing: 0.3, ClassWeights: true), Shares, null, Extra: Weights),
        ["ce axis 1"] = new(new CrossEntropyLoss(ClassAxis: 1), Logits, null, Shape: [3, 4, 2]),
        ["ce axis 1 one-hot"] = new(new CrossEntropyLoss(OneHot: true, ClassAxis: 1), Logits, Soft, Shape: [3, 4, 2]),
        ["nll axis 0"] = new(new NegativeLogLikelihoodLoss(ClassAxis: 0), Logits, null, Shape: [4, 6]),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void GradientIsThatOfDifferences(string name)
    {
        Case @case = Cases[name];
        Dictionary<string, double[]> inputs = new() { ["x"] = @case.Prediction };
        if (@case.Op is PointwiseLoss { IsOfDifference: true })
        {
            inputs["target"] = @case.Target!;
        }
        GraphRun<double> probe = Make(@case, inputs, []);
        probe.Execute();
        double[] upstream = [.. probe.Results["loss"].Select((_, i) => 1.7 - 0.3 * i)];
        Assert.Null(GradientCheck.Mismatch(given => Make(@case, given, upstream), inputs, new Dictionary<string, double[]> { ["loss"] = upstream }));
    }

    private static GraphRun<double> Make(Case @case, IReadOnlyDictionary<string, double[]> given, double[] upstream)
    {
        int[] shape = @case.Shape ?? [6, 4];
        GraphRun<double> run = new();
        List<Value> inputs = [run.Real("x", shape, given["x"])];
        if (@case.Target is { } target)
        {
            inputs.Add(run.Real("target", shape, given.GetValueOrDefault("target") ?? target));
        }
        else
        {
            int axis = @case.Op switch { CrossEntropyLoss op => op.ClassAxis, NegativeLogLikelihoodLoss op => op.ClassAxis, _ => -1 };
            int[] rows = [.. shape.Where((_, i) => i != (axis < 0 ? shape.Length + axis : axis))];
            inputs.Add(run.Index("target", rows, Labels));
        }
        if (@case.Extra is { } extra)
        {
            inputs.Add(run.Real("extra", [extra.Length], extra));
        }
        run.Output("loss", run.Builder.Add("loss", @case.Op, inputs.ToArray()), upstream.Length == 0 ? null : upstream);
        return run;
    }

    private sealed record Case(Op Op, double[] Prediction, double[]? Target, double[]? Extra = null, int[]? Shape = null);
}
