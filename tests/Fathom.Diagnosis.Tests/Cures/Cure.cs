using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Tests.CureNetworks;

namespace Fathom.Diagnosis.Tests;

/// <summary>A remedy with a small network that is sick of what it is for.</summary>
/// <param name="Remedy">The remedy.</param>
/// <param name="Variant">Part of the name of the variant that is tried.</param>
/// <param name="Cause">The cause that a rule names.</param>
/// <param name="Sick">The network.</param>
/// <param name="Data">Its data.</param>
/// <param name="Below">Validation accuracy or R² that the sick network stays below.</param>
/// <param name="Above">What the mended one reaches, at the same budget.</param>
internal sealed record Cure(Remedy Remedy, string Variant, string Cause, ModelDefinition Sick, DataSplit Data, double Below, double Above)
{
    private static readonly Initializer Small = new NormalInitializer(0, 0.02), Weak = new VarianceScaling(0.1, FanMode.In, WeightDistribution.Normal), Faint = new VarianceScaling(0.01, FanMode.In, WeightDistribution.Normal);

    public static IReadOnlyList<Cure> All { get; } =
    [
        new(new OutputCorrection(), "linear output", Causes.WrongOutputOrLoss, Values(Line().Sigmoid(), new Sgd(0.05)), CureData.Line(), 0.5, 0.9),
        new(new OutputCorrection(), "binary cross-entropy on logits", Causes.WrongOutputOrLoss, Digits(Body().Dense(1).Softmax(), loss: new BinaryCrossEntropy(false)), CureData.TwoClasses, 0.6, 0.85),
        new(new OutputCorrection(), "cross-entropy on logits", Causes.WrongOutputOrLoss, Digits(Body().Dense(10, VarianceScaling.HeNormal, new ConstantInitializer(-5)).Relu()), SickNetworks.Digits, 0.3, 0.85),
        new(new LossCorrection(), "of logits", Causes.WrongOutputOrLoss, Digits(Body().Dense(1), loss: new BinaryCrossEntropy(false)), CureData.TwoClasses, 0.75, 0.85),
        new(new TargetScaling(), "output ×", Causes.WrongOutputOrLoss, Values(Network.Input(8).Dense(16).Tanh().Dense(1), new Sgd(0.05)), CureData.Line(2000, 30_000), 0.1, 0.9),
        new(new InputScaling(), "inputs ×", Causes.UnscaledInput, Digits(Body().Dense(10)), CureData.ScaledDigits(255, 0), 0.3, 0.85),
        new(new InputScaling(), "feature by feature", Causes.UnscaledInput, Digits(Body().Dense(10)), CureData.ScaledDigits(255, 300), 0.3, 0.85),

        new(new AddedActivations(), "relu", Causes.Other, Plane(Network.Input(2).Dense(24).Dense(24).Dense(2)), CureData.Circles, 0.75, 0.95),
        new(new AddedActivations(), "tanh", Causes.Other, Plane(Network.Input(2).Dense(24).BatchNorm().Dense(24).Linear().Dense(2)), CureData.Circles, 0.75, 0.95),
        new(new ActivationSwap(), "selu", Causes.Vanishing, Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal, new Sgd(0.02, 0.5)), SickNetworks.Digits, 0.2, 0.8),
        new(new ActivationSwap(), "→ elu", Causes.Vanishing, Chain(6, net => net.Sigmoid(), VarianceScaling.XavierNormal), SickNetworks.Digits, 0.2, 0.8),
        new(new ActivationSwap(), "leaky_relu", Causes.DeadRelu, Chain(2, net => net.Relu(), VarianceScaling.HeNormal, new Adam(0.01), bias: -8), SickNetworks.Digits, 0.3, 0.7),
        new(new MaxoutUnits(), "maxout", Causes.DeadRelu, Chain(3, net => net.Relu(), VarianceScaling.HeNormal, bias: -3), SickNetworks.Digits, 0.3, 0.8),
        new(new FewerLayers(), "12 hidden layers fewer", Causes.Vanishing, Chain(14, net => net.Sigmoid(), VarianceScaling.XavierNormal, new Sgd(0.2, 0.9)), SickNetworks.Digits, 0.2, 0.7),
        new(new BatchNormalization(), "before each", Causes.Vanishing, Chain(6, net => net.Relu(), Small), SickNetworks.Digits, 0.3, 0.85),
        new(new BatchNormalization(), "after each", Causes.Vanishing, Chain(6, net => net.Tanh(), Small), SickNetworks.Digits, 0.3, 0.8),
        new(new LayerNormalization(), "before each", Causes.Vanishing, Chain(6, net => net.Relu(), Weak, new Sgd(0.02, 0.5)), SickNetworks.Digits, 0.3, 0.85),
        new(new LayerNormalization(), "after each", Causes.Vanishing, Chain(6, net => net.Tanh(), Weak, new Sgd(0.01, 0.5)), SickNetworks.Digits, 0.3, 0.7),
        new(new BatchlessNormalization(), "layer norm", Causes.Other, Digits(Network.Input(64).Dense(32).BatchNorm().Relu().Dense(32).BatchNorm().Relu().Dense(10), new Sgd(0.02), batch: 2), SickNetworks.Digits, 0.85, 0.9),
        new(new NormalizationMomentum(), "momentum 0.1", Causes.Other, Digits(Network.Input(64).Dense(32).BatchNorm(momentum: 1e-4).Relu().Dense(32).BatchNorm(momentum: 1e-4).Relu().Dense(10)), SickNetworks.Digits, 0.8, 0.9),
        new(new ResidualConnections(), "each block", Causes.Vanishing, Chain(12, net => net.Tanh(), Weak), SickNetworks.Digits, 0.3, 0.8),
        new(new ResidualConnections(), "ReZero", Causes.Vanishing, Chain(12, net => net.Tanh(), Weak), SickNetworks.Digits, 0.3, 0.8),
        new(new ResidualConnections(), "projected", Causes.Vanishing, Digits(Funnel(), new Sgd(0.03)), SickNetworks.Digits, 0.3, 0.7),
        new(new BranchScaling(), "ReZero", Causes.Exploding, Digits(Branches(24, VarianceScaling.HeNormal), new Sgd(0.01, 0.5)), SickNetworks.Digits, 0.3, 0.8),
        new(new BranchScaling(), "SkipInit", Causes.Exploding, Digits(Branches(24, VarianceScaling.HeNormal)), SickNetworks.Digits, 0.3, 0.8),
        new(new BranchScaling(), "Fixup", Causes.Exploding, Digits(Branches(24, VarianceScaling.HeNormal)), SickNetworks.Digits, 0.3, 0.8),
        new(new HighwayGates(), "highway", Causes.Vanishing, Chain(12, net => net.Tanh(), Weak), SickNetworks.Digits, 0.3, 0.7),
        new(new NormBeforeBranch(), "pre-norm", Causes.Vanishing, Encoder(10), Sequences(SickNetworks.Digits), 0.3, 0.7),
        new(new DeepNormScaling(), "DeepNorm", Causes.Vanishing, Encoder(10), Sequences(SickNetworks.Digits), 0.3, 0.6),
        new(new RecurrentCellChange(), "lstm", Causes.Vanishing, Recurrence(RecurrentCell.Rnn, 30, Faint), CureData.Recall(30, 0), 0.7, 0.95),
        new(new RecurrentCellChange(), "gru", Causes.Vanishing, Recurrence(RecurrentCell.Rnn, 30, Faint), CureData.Recall(30, 0), 0.7, 0.95),

        new(new DropoutReduction(), "0.2 at most", Causes.Other, Digits(Body().Dropout(0.95).Dense(32, VarianceScaling.HeNormal).Relu().Dropout(0.95).Dense(10)), SickNetworks.Digits, 0.7, 0.85),
        new(new DropoutReduction(), "0.5 at most, none behind", Causes.Other, Digits(Body().Dropout(0.9).Dense(10).Dropout(0.9)), SickNetworks.Digits, 0.8, 0.85),
        new(new SymmetryBreaking(), "drawn", Causes.BadInitialization, Chain(2, net => net.Tanh(), new ConstantInitializer(0.1)), SickNetworks.Digits, 0.5, 0.85),
        new(new MatchedInitialization(), "matched", Causes.BadInitialization, Chain(6, net => net.Relu(), Small), SickNetworks.Digits, 0.3, 0.85),
        new(new OrthogonalInitialization(), "orthogonal", Causes.BadInitialization, Chain(6, net => net.Relu(), Small), SickNetworks.Digits, 0.3, 0.85),
        new(new CriticalStart(), "critical initialization", Causes.BadInitialization, Chain(12, net => net.Tanh(), Weak), SickNetworks.Digits, 0.3, 0.8),
        new(new CriticalStart(), "orthogonal", Causes.BadInitialization, Chain(12, net => net.Tanh(), Weak), SickNetworks.Digits, 0.3, 0.8),
        new(new UnitVarianceStart(), "LSUV", Causes.BadInitialization, Chain(5, net => net.Tanh(), new NormalInitializer(0, 3)), SickNetworks.Digits, 0.6, 0.85),
        new(new BiasReset(), "biases", Causes.DeadRelu, Chain(3, net => net.Relu(), VarianceScaling.HeNormal, bias: -5), SickNetworks.Digits, 0.3, 0.85),
        new(new OrthogonalRecurrence(), "orthogonal", Causes.Vanishing, Recurrence(RecurrentCell.Rnn, 30, Faint), CureData.Recall(30, 0), 0.7, 0.95),
        new(new IdentityRecurrence(), "IRNN", Causes.Vanishing, Recurrence(RecurrentCell.Rnn, 30, Faint), CureData.Recall(30, 0), 0.7, 0.95),
        new(new ForgetGateOpening(), "bias 1", Causes.Vanishing, Recurrence(RecurrentCell.Lstm, 30, forget: -3), CureData.Recall(30, 0), 0.7, 0.95),
        new(new LayerwisePretraining(), "RBM", Causes.Vanishing, Chain(4, net => net.Sigmoid(), VarianceScaling.XavierNormal, new Sgd(0.1, 0.9), epochs: 12), SickNetworks.Digits, 0.5, 0.7),
        new(new LayerwisePretraining(), "autoencoder", Causes.Vanishing, Chain(4, net => net.Tanh(), Small, epochs: 16), SickNetworks.Digits, 0.3, 0.7),

        new(new TruncatedBackpropagation(), "time steps", Causes.Exploding, Recurrence(RecurrentCell.Rnn, 40, new VarianceScaling(9, FanMode.In, WeightDistribution.Normal), new Sgd(0.1)), CureData.Recall(40, 39), 0.75, 0.9),
        new(new OptimizerSettings(), "usual settings", Causes.Other, Digits(Body().Dense(10), new Adam(1e-3, Epsilon: 30)), SickNetworks.Digits, 0.4, 0.85),
        new(new OptimizerSettings(), "learning rate", Causes.LearningRateTooLarge, Digits(Body().Dense(10), new Adam(0.3, 0.1, 0.1)), SickNetworks.Digits, 0.6, 0.85),
        new(new AdamOptimizer(), "adam", Causes.Vanishing, Chain(4, net => net.Tanh(), Weak, new Sgd(0.01)), SickNetworks.Digits, 0.3, 0.8),
        new(new MomentumOptimizer(), "momentum", Causes.LearningRateTooLarge, Digits(Body().Dense(10), new Adam(0.5)), SickNetworks.Digits, 0.6, 0.85),
        new(new LearningRateChange(), "learning rate", Causes.LearningRateTooSmall, Digits(Body().Dense(10), new Adam(1e-6)), SickNetworks.Digits, 0.3, 0.85),
        new(new LearningRateChange(), "learning rate", Causes.LearningRateTooLarge, Digits(Body().Dense(10), new Sgd(10)), SickNetworks.Digits, 0.3, 0.85),
        new(new WarmUp(), "warm-up", Causes.LearningRateTooLarge, Encoder(8, 8e-3), Sequences(SickNetworks.Digits), 0.3, 0.6),
        new(new RateDecay(), "cosine", Causes.LearningRateTooLarge, Values(Line(), new Sgd(0.25), epochs: 10, batch: 4), CureData.Line(noise: 2), 0.3, 0.45),
        new(new BatchSizeChange(), "batch of 32", Causes.LearningRateTooSmall, Digits(Body().Dense(10), new Adam(4e-3), batch: 512), SickNetworks.Digits, 0.75, 0.85),
        new(new WeakerRegularization(), "no weight decay", Causes.Other, Digits(Body().Dense(10), new Sgd(0.1, WeightDecay: 0.5)), SickNetworks.Digits, 0.4, 0.85),
        new(new WeightDecayAdded(), "l2", Causes.Other, Values(Network.Input(8).Dense(32).Tanh().Dense(1), new Adam(0.01), epochs: 150), CureData.Line(noise: 1.5, rows: 64), 0.2, 0.25),
        new(new ClippingRelease(), "no clipping", Causes.LearningRateTooSmall, Clipped(Digits(Body().Dense(10)), 1e-6), SickNetworks.Digits, 0.3, 0.85),
        new(new ClipGradientNorm(), "norm at 1", Causes.Exploding, Values(Line(), new Sgd(0.05)), CureData.Line(outlier: 1000), 0.1, 0.9),
        new(new ClipGradientValue(), "element", Causes.Exploding, Values(Line(), new Sgd(0.05)), CureData.Line(outlier: 1000), 0.1, 0.9),
        new(new AdaptiveClipping(), "adaptive", Causes.Exploding, Values(Line(), new Sgd(1), epochs: 20), CureData.Line(outlier: 1000), 0.1, 0.8),
        new(new ClipSpikes(), "ZClip", Causes.Exploding, Values(Network.Input(8).Dense(16).Relu().Dense(1), new Sgd(0.05), epochs: 4), CureData.Line(outlier: 1000, rows: 4096), 0.1, 0.9),
    ];

    /// <summary>What rules have said: the cause, and the remedy by its name.</summary>
    public ImmutableArray<Finding> Findings => [FindingOf(Cause, Remedy.Kind)];

    public CaseHistory History => new(Findings) { Data = Data.Training };

    public Prescription Prescription => Remedy.Propose(Sick, History).First(prescription => prescription.Name.Contains(Variant, StringComparison.Ordinal));

    public override string ToString() => $"{Remedy.GetType().Name}: {Variant}, {Cause}";

    public static Finding FindingOf(string cause, params ImmutableArray<string> remedies) => new()
    {
        Rule = "FTH000", Problem = "", Severity = Severity.Error, Cause = cause, Layers = [], Step = 0, Confidence = 1,
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "", Remedies = remedies,
    };
}
