using System.Collections.Frozen;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// The ops that a model file may name: the one list to add a line to. The key is the op's kind; the value has default
/// attributes, which a file overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class OpCatalog
{
    public static readonly FrozenDictionary<string, Op> ByKind = new Op[]
    {
        new Dense(1),
        new MatMul(),
        new Conv1d(1, 1),
        new Conv2d(1, 1),
        new DepthwiseConv2d(1),
        new MaxPool1d(1),
        new MaxPool2d(1),
        new AvgPool1d(1),
        new AvgPool2d(1),
        new AdaptiveAvgPool2d(1),
        new GlobalAvgPool(),
        new GlobalMaxPool(),

        new Sigmoid(),
        new Tanh(),
        new Relu(),
        new LeakyRelu(),
        new PRelu(),
        new RRelu(),
        new Elu(),
        new Selu(),
        new Gelu(),
        new Silu(),
        new Swish(),
        new Softplus(),
        new Softsign(),
        new Mish(),
        new HardTanh(),
        new HardSigmoid(),
        new Relu6(),
        new Erf(),
        new Linear(),
        new TailoredLeakyRelu(),
        new TailoredTanh(),
        new Softmax(),
        new LogSoftmax(),
        new Maxout(),
        new Squash(),
        new Capsule(10, 16),
        new CapsuleLength(),
        new Goodness(),
        new Glu(),
        new SwiGlu(),

        new Rnn(1),
        new Lstm(1),
        new Gru(1),

        new BatchNorm(),
        new LayerNorm([]),
        new RmsNorm(),
        new GroupNorm(1),
        new Dropout(),
        new SpatialDropout(),
        new AlphaDropout(),
        new GaussianDropout(),
        new GaussianNoise(),

        new Add(),
        new Subtract(),
        new Multiply(),
        new Average(),
        new Maximum(),
        new Minimum(),
        new GatedSum(),
        new Scale(),
        new Rescaling(1),
        new Concat(),
        new Embedding(1, 1),
        new PositionalEmbedding(1),
        new SinusoidalPositions(),
        new PaddingMask(),
        new ScaledDotProductAttention(),
        new MultiHeadAttention(1),
        new Transpose([]),
        new Mean([1]),
        new Max([1]),
        new Slice(),
        new Pad(),
        new Select(),
        new Flatten(),
        new Reshape([-1]),
        new Shift(),
    }.ToFrozenDictionary(op => op.Kind);
}
