using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.Code;

/// <summary>A small model for each layer, setting, initializer and part of a plan that code may have to name.</summary>
internal static class EveryLayer
{
    private static readonly int[] Row = [6], Steps = [5, 4], Image = [4, 8, 8], LastImage = [8, 8, 4];

    public static IEnumerable<(string Name, ModelDefinition Model)> Models()
    {
        foreach ((int[] input, Op op) in Layers())
        {
            yield return (Unique(op), Of(Network.Input(input).Then(op)));
        }
        yield return ("embedding", Of(Network.Indices(5).Then(new Embedding(7, 3))));
        foreach (Op op in (Op[])[new Add(), new Subtract(), new Multiply(), new Average(), new Maximum(), new Minimum(), new Concat()])
        {
            NetworkCursor trunk = Network.Input(6).Then(new Tanh(), "a");
            yield return (Unique(op), Of(trunk.Then(op, "merged", others: trunk.Then(new Relu(), "b"))));
        }
        foreach (Initializer initializer in (Initializer[])[ConstantInitializer.Zeros, ConstantInitializer.Ones, new NormalInitializer(), new UniformInitializer(), new TruncatedNormalInitializer(), VarianceScaling.HeNormal, VarianceScaling.HeUniform,
            VarianceScaling.XavierNormal, VarianceScaling.LeCunNormal, VarianceScaling.LeCunUniform, new Orthogonal(1.5), new IdentityInitializer(0.5)])
        {
            Dictionary<string, Initializer> weight = new() { ["weight"] = initializer };
            yield return ($"initializer_{number++}", Of(Network.Input(6).Then(new Dense(6), "layer", initializers: weight)));
        }
        foreach (TrainingPlan plan in Plans())
        {
            yield return ($"plan_{number++}", Of(Network.Input(6).Then(new Dense(3))) with { Plan = plan });
        }
    }

    private static int number;

    private static string Unique(Op op) => $"{op.Kind}_{number++}";

    private static ModelDefinition Of(NetworkCursor network) => new("m", network.Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd() });

    private static IEnumerable<(int[] Input, Op Op)> Layers()
    {
        foreach (Op op in (Op[])[new Linear(), new Sigmoid(), new Tanh(), new Relu(), new Relu6(), new LeakyRelu(0.2), new Elu(), new Elu(0.5), new Selu(), new Gelu(), new Gelu(true), new Silu(), new Swish(1.5), new Softplus(), new Softplus(2),
            new Softsign(), new Mish(), new HardTanh(), new HardTanh(-2, 3), new Erf(), new PRelu(), new Softmax(), new LogSoftmax(), new Glu(), new Maxout(2), new Dense(3), new Dense(3, Bias: false), new Dropout(), new AlphaDropout(), new GaussianDropout(),
            new GaussianNoise(), new Scale(2), new Shift(1), new Scale(1, 1), new Rescaling(2, 1), new BatchNorm(), new BatchNorm(Affine: false), new LayerNorm(), new RmsNorm(), new Reshape([2, 3])])
        {
            yield return (Row, op);
        }
        foreach (Op op in (Op[])[new Rnn(3), new Rnn(3, RecurrentActivation.Relu, Bias: false), new Lstm(3), new Lstm(3, Reverse: true), new Gru(3), new Gru(3, ResetAfter: false), new Select(), new Select(1), new Slice(1, 1, 2), new Pad(1, 2, 1), new Pad(), new SpatialDropout(0.2, ChannelsLast: true), new Mean([1]), new Max([1], true),
            new Transpose([2, 1]), new Dense(3), new Flatten(), new PositionalEmbedding(5), new MultiHeadAttention(2), new MultiHeadAttention(2, Causal: true), new LayerNorm(), new Conv1d(3, 2), new Conv1d(3, 3, 2, Padding.Same, ChannelsLast: true), new MaxPool1d(2), new AvgPool1d(2, ChannelsLast: true)])
        {
            yield return (Steps, op);
        }
        foreach (bool last in (bool[])[false, true])
        {
            foreach (Op op in (Op[])[new Conv2d(6, 3, ChannelsLast: last), new Conv2d(6, 3, Padding: Padding.Same, ChannelsLast: last), new Conv2d(6, 3, 2, new Padding(1, 2), ChannelsLast: last), new Conv2d(6, 3, Dilation: 2, Groups: 2, Bias: false, ChannelsLast: last),
                new DepthwiseConv2d(3, 2, ChannelsLast: last), new MaxPool2d(2, ChannelsLast: last), new MaxPool2d(3, 2, new Padding(1, 1), ChannelsLast: last), new AvgPool2d(2, ChannelsLast: last), new AvgPool2d(3, 1, Padding.Same, CountIncludePad: false, ChannelsLast: last),
                new BatchNorm(ChannelsLast: last), new GroupNorm(2, ChannelsLast: last), new GlobalAvgPool(ChannelsLast: last), new GlobalMaxPool(true, last), new PRelu(true, ChannelsLast: last), new AdaptiveAvgPool2d(2, last), new SpatialDropout(0.2, last), new Pad(2, 0, 1)])
            {
                yield return (last ? LastImage : Image, op);
            }
        }
    }

    private static IEnumerable<TrainingPlan> Plans()
    {
        TrainingPlan plain = new() { Loss = new MeanSquaredError(), Optimizer = new Sgd() };
        foreach (Optimizer optimizer in (Optimizer[])[new Sgd(0.1, 0.9, Nesterov: true), new Adam(), new Adam(Amsgrad: true), new AdamW(), new RmsProp(), new Adagrad(), new Adadelta(), new Adamax(), new Nadam(), new Radam(), new Lion(),
            new KerasSgd(0.1, 0.9, true), new KerasAdam(), new KerasAdam(Amsgrad: true, WeightDecay: 0.1), new KerasAdamW(), new KerasRmsProp(Momentum: 0.5), new KerasAdagrad(), new KerasAdadelta(), new KerasAdamax(), new KerasNadam(), new KerasLion()])
        {
            yield return plain with { Optimizer = optimizer };
        }
        foreach (Loss loss in (Loss[])[new CrossEntropy(), new CrossEntropy(OneHot: true), new CrossEntropy(LabelSmoothing: 0.1), new CrossEntropy(FromLogits: false), new BinaryCrossEntropy(), new BinaryCrossEntropy(false), new MeanAbsoluteError(), new Huber(2), new Hinge()])
        {
            yield return plain with { Loss = loss };
        }
        foreach (Schedule schedule in (Schedule[])[new WarmupSchedule(5, Then: new CosineSchedule()), new StepSchedule(1), new MultiStepSchedule([1, 2]), new ExponentialSchedule(), new CosineSchedule(2, 0.1), new CosineSchedule(Floor: 0.1, Hold: 0.6), new CosineSchedule(2, Hold: 0.5), new KerasExponentialDecay(), new KerasInverseTimeDecay(Staircase: true), new OneCycleSchedule()])
        {
            yield return plain with { Schedule = schedule };
        }
        foreach (GradientClipping clipping in (GradientClipping[])[new ClipByGlobalNorm(), new ClipByValue(), new ClipByTensorNorm()])
        {
            yield return plain with { Clipping = clipping };
        }
        yield return plain with { Regularization = [new L1(), new L2(0.01)], ClassWeights = null, BatchSize = TrainingPlan.FullBatch };
    }
}
