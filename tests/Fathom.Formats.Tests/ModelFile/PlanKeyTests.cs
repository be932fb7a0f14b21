using Fathom.Formats.ModelFile;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>The keys of a model file that say how its network is trained.</summary>
public sealed class PlanKeyTests
{
    [Fact]
    public void EveryKeyReachesThePlan()
    {
        TrainingPlan plan = Read("""
            class_weights: [1, 2, 0.5]
            clip: {autoclip: {percentile: 20, window: 50}}
            regularization: [{l2: 1e-4}, {l1: {strength: 1e-5, layers: [dense_2, dense_1.bias]}}, max_norm, {orthogonal: {gain: 1.5}}, {gradient_noise: 0.3}]
            batch: full
            accumulate: 4
            recompute: true
            metrics: [top_3, f1, {f1: binary}, {top_k: 2}]
            on_finding: rollback
            precision: fp8_e4m3
            """);
        Assert.Equal(new ClassWeights([1, 2, 0.5]), plan.ClassWeights);
        Assert.Equal(new AutoClip(20, 50), plan.Clipping);
        Assert.Equal<Regularizer>([new L2(), new L1(1e-5, ["dense_2", "dense_1.bias"]), new MaxNorm(), new Orthogonality(Gain: 1.5), new GradientNoise(0.3)], plan.Regularization);
        Assert.Equal((TrainingPlan.FullBatch, 4, true), (plan.BatchSize, plan.Accumulate, plan.Recompute));
        Assert.Equal<Metric>([new TopK(3), new F1(), new F1(F1Average.Binary), new TopK(2)], plan.Metrics);
        Assert.Equal((FindingAction.Rollback, Precision.Fp8E4m3), (plan.OnFinding, plan.Precision));
        plan.Validate();
    }

    [Fact]
    public void ListsMayBeLeftOutForOne()
    {
        TrainingPlan plan = Read("class_weights: balanced\nregularization: {l2: 0.5}\nmetrics: top_2\n");
        Assert.Equal(ClassWeights.Balanced, plan.ClassWeights);
        Assert.Equal<Regularizer>([new L2(0.5)], plan.Regularization);
        Assert.Equal<Metric>([new TopK(2)], plan.Metrics);
    }

    [Fact]
    public void ThePlanComesBackAsItWas()
    {
        foreach (TrainingPlan plan in Plans())
        {
            ModelDefinition model = ModelFileReader.Read("m.yaml", Start + "loss: cross_entropy\noptimizer: sgd\n") with { Plan = plan };
            string text = ModelFileWriter.Write(model);
            Assert.Equal(plan, ModelFileReader.Read("m.yaml", text).Plan);
            Assert.Equal(text, ModelFileWriter.Write(ModelFileReader.Read("m.yaml", text)));
        }
    }

    [Theory]
    [InlineData("regularization: {l2: -1}", "m.yaml:8:22: key 'strength': -1 is out of range; allowed: greater than 0 and finite")]
    [InlineData("regularization: {l3: 1}", "m.yaml:8:18: key 'l3': no such regularization, nearest is 'l1'; allowed: gradient_noise, l1, l2, max_norm, orthogonal")]
    [InlineData("regularization: [{l2: {layers: [dense_3]}}]", "m.yaml:8:19: regularization l2: no such layer, nearest is 'dense_1': 'dense_3'; it must be a layer, block or parameter of the network")]
    [InlineData("accumulate: 33", "m.yaml:8:13: key 'accumulate': 33 is out of range; allowed: 1 to the batch, which is 32")]
    [InlineData("recompute: sometimes", "m.yaml:8:12: key 'recompute': 'sometimes' is not true or false; allowed: true, false")]
    [InlineData("on_finding: panic", "m.yaml:8:13: key 'on_finding': 'panic' is not one of the names; allowed: report, warn, stop, rollback")]
    [InlineData("precision: fp17", "m.yaml:8:12: key 'precision': 'fp17' is not one of the names; allowed: fp32, bf16, fp16, fp8_e5m2, fp8_e4m3")]
    [InlineData("batch: 0", "m.yaml:8:8: key 'batch': 0 is out of range; allowed: 1 or more")]
    [InlineData("batch: all", "m.yaml:8:8: key 'batch': 'all' is not a whole number; allowed: a whole number of 1 or more, full")]
    [InlineData("class_weights: [1, 2]", "m.yaml:8:16: key 'class_weights': loss cross_entropy: there are 2 class weights; the output dense_2 has 3 classes")]
    [InlineData("class_weights: [1, -2, 1]", "m.yaml:8:16: key 'class_weights': class_weights is -2; it must be 0 or more and finite")]
    [InlineData("class_weights: equal", "m.yaml:8:16: key 'class_weights': 'equal' is neither a list nor a known word; allowed: balanced, or a list with a number for each class")]
    [InlineData("class_weights: []", "m.yaml:8:16: key 'class_weights': there is no number in the list; allowed: balanced, or a list with a number for each class")]
    [InlineData("metrics: [top_0]", "m.yaml:8:11: key 'k': 0 is out of range; allowed: 1 or more")]
    [InlineData("metrics: [f1, top_2, {top_k: 2}]", "m.yaml:8:22: key 'metrics': top_2 is there twice; allowed: each metric once")]
    [InlineData("metrics: [f2]", "m.yaml:8:11: key 'f2': no such metric, nearest is 'f1'; allowed: accuracy, f1, r2, top_k")]
    [InlineData("clip: {autoclip: {window: 2147483647}}", "m.yaml:8:27: key 'window': 2147483647 is out of range; allowed: 1 to 1000000")]
    [InlineData("clip: {zclip: {alpha: 1}}", "m.yaml:8:23: key 'alpha': 1 is out of range; allowed: at least 0 and below 1")]
    public void AWrongKeyIsNamedWithItsPlace(string line, string message) =>
        Assert.Equal(message, Assert.Throws<ModelFormatException>(() => Read(line)).Message);

    [Fact]
    public void ALossWithoutClassWeightsSaysSo()
    {
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", Start + "loss: mse\noptimizer: sgd\nclass_weights: balanced\n"));
        Assert.Equal("m.yaml:8:16: key 'class_weights': loss mse: it takes no class weights; leave class_weights out, or take cross_entropy, nll or binary_cross_entropy", error.Message);
    }

    private const string Start = "fathom: 1\ninput: 4\nlayers:\n  - dense: 5\n  - dense: 3\n";

    private static TrainingPlan Read(string more) => ModelFileReader.Read("m.yaml", $"{Start}loss: cross_entropy\noptimizer: sgd\n{more}").Plan;

    private static IEnumerable<TrainingPlan> Plans()
    {
        TrainingPlan plain = new() { Loss = new CrossEntropy(), Optimizer = new Sgd() };
        yield return plain;
        yield return plain with { ClassWeights = ClassWeights.Balanced, BatchSize = TrainingPlan.FullBatch, Accumulate = 7, Recompute = true };
        yield return plain with { ClassWeights = new ClassWeights([0.1, 1e-30, 3]), BatchSize = 1 };
        yield return plain with { OnFinding = FindingAction.Stop, Precision = Precision.Fp8E5m2 };
        yield return plain with { Metrics = [new TopK(), new TopK(3), new F1(F1Average.Binary), new Accuracy()] };
        yield return plain with { Regularization = [new L1(), new L2(0.1, ["dense_1", "dense_2.bias"], true), new MaxNorm(4), new Orthogonality(), new GradientNoise(1, 0, Vectors: false)] };
        foreach (Optimizer optimizer in OptimizerCatalog.ByKind.Values)
        {
            yield return plain with { Optimizer = optimizer with { LearningRate = 0.123 } };
        }
        foreach (GradientClipping clipping in ClippingCatalog.ByKind.Values)
        {
            yield return plain with { Clipping = clipping };
        }
    }
}
