using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Initialization;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;
using static Fathom.Diagnosis.Tests.CureNetworks;

namespace Fathom.Diagnosis.Tests;

/// <summary>Where its precondition does not hold, a remedy proposes nothing, whatever the findings ask for.</summary>
public sealed class PreconditionTests
{
    private static readonly DataSet Rows = SickNetworks.Digits.Training;
    private static readonly ModelDefinition Sound = SickNetworks.HealthyRelu(), Shallow = Digits(Network.Input(64).Dense(10));

    private static ModelDefinition Planned(Func<TrainingPlan, TrainingPlan> change) => Sound with { Plan = change(Sound.Plan) };

    private static ModelDefinition Recurrent(Func<NetworkCursor, NetworkCursor> layer) => Recurrence(RecurrentCell.Rnn, 24) with { Graph = layer(Network.Input(24, 1)).Last().Dense(2).Build() };

    public static TheoryData<string> Cases => [.. All.Select(item => item.Name)];

    private static (string Name, Remedy Remedy, ModelDefinition Model, DataSet? Data)[] All { get; } =
    [
        ("output suits the loss", new OutputCorrection(), Sound, Rows),
        ("linear output for values", new OutputCorrection(), Values(Line(), new Sgd()), CureData.Line().Training),
        ("a sigmoid that reaches its targets", new OutputCorrection(), Values(Network.Input(8).Dense(1).Sigmoid(), new Sgd()), CureData.Line(0.01, 0.5).Training),
        ("loss suits the output", new LossCorrection(), Sound, Rows),
        ("softmax with its own cross-entropy", new LossCorrection(), Digits(Body().Dense(10).Softmax(), loss: new CrossEntropy(false)), Rows),
        ("squared error for values", new LossCorrection(), Values(Line(), new Sgd()), CureData.Line().Training),
        ("targets of size 1", new TargetScaling(), Values(Line(), new Sgd()), CureData.Line().Training),
        ("targets not known", new TargetScaling(), Values(Line(), new Sgd()), null),
        ("labels are not scaled", new TargetScaling(), Digits(Body().Dense(10), loss: new MeanSquaredError()), Rows),
        ("inputs of size 1", new InputScaling(), Values(Line(), new Sgd()), CureData.Line().Training),
        ("inputs not known", new InputScaling(), Sound, null),
        ("inputs normalized already", new InputScaling(), Digits(Network.Input(64).BatchNorm().Dense(32).Relu().Dense(10)), CureData.ScaledDigits(255, 0).Training),
        ("functions between the layers already", new AddedActivations(), Sound, Rows),
        ("no hidden layer to bend", new AddedActivations(), Shallow, Rows),
        ("no dropout", new DropoutReduction(), Sound, Rows),
        ("little dropout", new DropoutReduction(), Digits(Body().Dropout(0.2).Dense(10)), Rows),
        ("no hidden function to swap", new ActivationSwap(), Shallow, Rows),
        ("no hidden function for maxout", new MaxoutUnits(), Shallow, Rows),
        ("few layers", new FewerLayers(), Sound, Rows),
        ("batch too small to normalize", new BatchNormalization(), Planned(plan => plan with { BatchSize = 4 }), Rows),
        ("no hidden layer for batch norm", new BatchNormalization(), Shallow, Rows),
        ("no hidden layer for layer norm", new LayerNormalization(), Shallow, Rows),
        ("no batch norm to replace", new BatchlessNormalization(), Sound, Rows),
        ("usual momentum of batch norm", new NormalizationMomentum(), Digits(Network.Input(64).Dense(32).BatchNorm().Relu().Dense(10)), Rows),
        ("residual already", new ResidualConnections(), Digits(Branches(3, VarianceScaling.HeNormal)), Rows),
        ("no block to go around", new ResidualConnections(), Shallow, Rows),
        ("no branch to scale", new BranchScaling(), Sound, Rows),
        ("branches scaled already", new BranchScaling(), Digits(Network.Input(64).Dense(32).Repeat(3, block => block.Residual(branch => branch.Dense(32).Relu(), ResidualScale.Rezero)).Dense(10)), Rows),
        ("highway already", new HighwayGates(), Digits(Network.Input(64).Dense(16).Repeat(5, block => block.Highway()).Dense(10)), Rows),
        ("convolutions have no highway", new HighwayGates(), Digits(Network.Input(1, 8, 8).Repeat(6, block => block.Conv2d(4, 3, padding: Padding.Same).Relu()).Flatten().Dense(10)), null),
        ("pre-norm already", new NormBeforeBranch(), Digits(Network.Input(8, 8).Dense(16).TransformerBlock(2, 32).TransformerBlock(2, 32).Mean([1]).Dense(10)), null),
        ("no post-norm for DeepNorm", new DeepNormScaling(), Sound, Rows),
        ("DeepNorm already", new DeepNormScaling(), new DeepNormScaling().Propose(Encoder(2), new CaseHistory([])).Single().Rewrite(Encoder(2)), null),
        ("LSTM already", new RecurrentCellChange(), Recurrent(net => net.Lstm(8)), null),
        ("weights differ already", new SymmetryBreaking(), Sound, Rows),
        ("a gate keeps its bias from LSUV", new UnitVarianceStart(), Digits(Network.Input(64).Dense(16).Repeat(5, block => block.Highway()).Dense(10)), Rows),
        ("orthogonal already", new OrthogonalInitialization(), Digits(Network.Input(64).Dense(32, new Orthogonal()).Relu().Dense(10, new Orthogonal())), Rows),
        ("He is critical for ReLU", new CriticalStart(), Sound, Rows),
        ("no critical point with normalization", new CriticalStart(), Digits(Network.Input(64).Dense(32).BatchNorm().Tanh().Dense(10)), Rows),
        ("LSUV already", new UnitVarianceStart(), Planned(plan => plan with { Initialization = new Lsuv() }), Rows),
        ("biases at 0", new BiasReset(), Sound, Rows),
        ("a gate keeps its bias", new BiasReset(), Digits(Network.Input(64).Dense(16).Repeat(5, block => block.Highway()).Dense(10)), Rows),
        ("orthogonal recurrence already", new OrthogonalRecurrence(), Recurrent(net => net.Rnn(8)), null),
        ("IRNN already", new IdentityRecurrence(), Recurrent(net => net.Rnn(8, RecurrentActivation.Relu, initializers: new Dictionary<string, Initializer> { ["weight_hh"] = new IdentityInitializer() })), null),
        ("forget gate open", new ForgetGateOpening(), Recurrent(net => net.Lstm(8, initializers: new Dictionary<string, Initializer> { ["bias_ih"] = new ForgetGateBias(2) })), null),
        ("GRU has no forget gate", new ForgetGateOpening(), Recurrent(net => net.Gru(8)), null),
        ("convolutions are not pre-trained", new LayerwisePretraining(), Digits(Network.Input(1, 8, 8).Repeat(4, block => block.Conv2d(4, 3, padding: Padding.Same).Relu()).Flatten().Dense(10)), null),
        ("truncated already", new TruncatedBackpropagation(), Recurrent(net => net.Rnn(8, truncate: 6)), null),
        ("sequence too short to truncate", new TruncatedBackpropagation(), Recurrence(RecurrentCell.Rnn, 10), null),
        ("usual settings", new OptimizerSettings(), Planned(plan => plan with { Optimizer = new Adam() }), Rows),
        ("Adam already", new AdamOptimizer(), Planned(plan => plan with { Optimizer = new AdamW() }), Rows),
        ("momentum already", new MomentumOptimizer(), Planned(plan => plan with { Optimizer = new Sgd(0.1, 0.9) }), Rows),
        ("warm-up already", new WarmUp(), Planned(plan => plan with { Schedule = new WarmupSchedule() }), Rows),
        ("one cycle rises by itself", new WarmUp(), Planned(plan => plan with { Schedule = new OneCycleSchedule() }), Rows),
        ("decays already", new RateDecay(), Planned(plan => plan with { Schedule = new CosineSchedule() }), Rows),
        ("rows not known", new BatchSizeChange(), Sound, null),
        ("batch too small to quarter", new BatchSizeChange(), Planned(plan => plan with { BatchSize = 16, Epochs = 1 }), Rows),
        ("no regularization", new WeakerRegularization(), Sound, Rows),
        ("weight decay already", new WeightDecayAdded(), Planned(plan => plan with { Optimizer = new AdamW() }), Rows),
        ("no clipping to release", new ClippingRelease(), Sound, Rows),
        ("clipped already, by norm", new ClipGradientNorm(), Clipped(Sound, 1), Rows),
        ("clipped already, by value", new ClipGradientValue(), Clipped(Sound, 1), Rows),
        ("clipped already, adaptively", new AdaptiveClipping(), Clipped(Sound, 1), Rows),
        ("clipped already, spikes", new ClipSpikes(), Clipped(Sound, 1), Rows),
        ("Adam has its own scale", new AdaptiveClipping(), Planned(plan => plan with { Optimizer = new Adam() }), Rows),
        ("advice only", new LowerPrecision(), Sound, Rows),
    ];

    [Xunit.Theory]
    [MemberData(nameof(Cases))]
    public void NothingIsProposedWithoutThePrecondition(string name)
    {
        (_, Remedy remedy, ModelDefinition model, DataSet? data) = All.First(item => item.Name == name);
        string[] causes = [Causes.Vanishing, Causes.Exploding, Causes.DeadRelu, Causes.Saturation, Causes.LearningRateTooSmall, Causes.LearningRateTooLarge, Causes.WrongOutputOrLoss, Causes.BadInitialization, Causes.Numerical];
        CaseHistory history = new(causes.Select(cause => Cure.FindingOf(cause, remedy.Kind))) { Data = data };
        Assert.Empty(remedy.Propose(model, history).Select(item => item.Name));
    }

    [Fact]
    public void EveryRemedyHasACaseInWhichItKeepsQuiet() =>
        Assert.Empty(RemedyCatalog.All.Where(remedy => remedy is not (MatchedInitialization or LearningRateChange) && !All.Any(item => item.Remedy.GetType() == remedy.GetType())).Select(remedy => remedy.GetType().Name));

    /// <summary>Weights that match already: <see cref="RemedyTests"/>. Rates: only in the direction that the finding says.</summary>
    [Fact]
    public void RatesGoOneWayOnly()
    {
        double[] Rates(string cause) => [.. new LearningRateChange().Propose(Sound, new CaseHistory([Cure.FindingOf(cause)])).Select(item => item.Rewrite(Sound).Plan.Optimizer.LearningRate)];
        Assert.All(Rates(Causes.LearningRateTooSmall), rate => Assert.True(rate > Sound.Plan.Optimizer.LearningRate));
        Assert.All(Rates(Causes.LearningRateTooLarge), rate => Assert.True(rate < Sound.Plan.Optimizer.LearningRate));
        Assert.InRange(Rates(Causes.LearningRateTooSmall).Length, 1, 3);
        Assert.InRange(Rates(Causes.LearningRateTooLarge).Length, 1, 3);
    }
}
