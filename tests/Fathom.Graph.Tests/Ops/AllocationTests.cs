using Fathom.Compute;
using Fathom.Testing;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Graphs.Tests.Ops;

public sealed class AllocationTests
{
    /// <summary>Every op in one network, forward and backward, in training and in evaluation.</summary>
    [Xunit.Theory, InlineData(true), InlineData(false)]
    public void AStepAllocatesNothing(bool training)
    {
        NetworkCursor x = Network.Input(4, 6).LayerNorm([4, 6]).LayerNorm(affine: false).RmsNorm().GroupNorm(2);
        NetworkCursor places = x.PositionalEmbedding().SinusoidalPositions().Transpose(2, 1).Transpose(2, 1);
        NetworkCursor attended = places.MultiHeadAttention(2, mask: places.PaddingMask()).MultiHeadAttention(3, causal: true, qkNorm: QueryKeyNorm.Layer, dropout: 0.1).CrossAttention(places, 1);
        x = attended.ScaledDotProductAttention(x, places).Slice(1, 0, 2).Concat([x.Mean([1], keepDims: true), x.Max([1], keepDims: true)], axis: 1);
        x = x.Rnn(5).Lstm(4).Gru(6).Gru(6, resetAfter: false).Lstm(6, mask: x.Select(0, -1));
        NetworkCursor functions = x.BatchNorm().Tanh().LeakyRelu().PRelu(perChannel: true).RRelu().Elu().Selu().Gelu().Gelu(approximate: true).Silu().Swish(1.2)
            .Softplus().Softsign().Mish().HardTanh().HardSigmoid().Relu6().Erf().Linear().Relu().Sigmoid().Dropout(0.2);
        NetworkCursor product = functions.MatMul(functions.Softmax().Multiply(x), transposeB: true);
        NetworkCursor flat = product.Concat([functions.LogSoftmax(1)]).Reshape(8, 5).Flatten().BatchNorm(affine: false);
        NetworkCursor capsules = Images(flat).TailoredTanh().TailoredLeakyRelu().Dense(12).Reshape(3, 4).Squash().Capsule(6, 2).CapsuleLength().Concat([flat]);
        Graph network = Structure(capsules).Dense(12).Maxout(3).Glu().SwiGlu().Goodness().Build();

        GraphBuilder builder = new(network);
        Value upstream = builder.Parameter("upstream", Shape.Of(1), ConstantInitializer.Ones, trainable: false);
        Value scalar = builder.Add("scalar", new SumOfProducts(), [network.Output, upstream]);
        DifferentiatedGraph differentiated = Autodiff.Differentiate(builder.Build(network.Output, scalar), scalar);
        Dictionary<string, Value> gradients = network.Parameters.Where(node => differentiated.Gradients.ContainsKey(node.Output))
            .ToDictionary(node => node.Name, node => differentiated.Gradients[node.Output]);
        Assert.True(gradients.Count >= 5);
        using ParameterStore<float> store = new(differentiated.Graph);
        store.Initialize(1);
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(differentiated.Graph, 3, store, WorkerPool.Single, [network.Output], gradients);
        RandomFill.Normal(new RandomKey(1, 2, 3), 0f, 1f, plan.Real(network.Inputs.Single().Output));
        // About 12 kB are allocated once per process (presumably by the runtime, for what it loads): mostly in step 0, now
        // and then in step 1, and nothing in thousands of steps after. So warm up until a window is clean, which code that
        // allocates in each step never reaches; then a window three times as long must be clean too.
        int step = 0;
        for (int window = 0; window < 10 && SteadyAllocation.Bytes(() => Run(100)) != 0; window++)
        {
        }
        Assert.Equal(0, SteadyAllocation.Bytes(() => Run(300)));
        Assert.All(plan.Real(network.Output).Span.ToArray(), value => Assert.True(float.IsFinite(value)));

        void Run(int steps)
        {
            for (int i = 0; i < steps; i++)
            {
                plan.Run(training, 1, step++);
            }
        }
    }

    private static NetworkCursor Structure(NetworkCursor flat)
    {
        NetworkCursor x = flat.Dense(7, weightStandardization: WeightStandardization.Scaled).Highway().AlphaDropout(0.1).GaussianDropout(0.1).GaussianNoise(0.1);
        NetworkCursor y = x.Residual(branch => branch.Dense(9), ResidualScale.Layerscale).Scale(0.9).Rescaling(2, 1).Dense(7);
        return x.Maximum(y, x.Subtract(y)).Minimum(y).Average(x);
    }

    private static NetworkCursor Images(NetworkCursor flat)
    {
        NetworkCursor x = flat.Dense(180).Reshape(5, 6, 6).Conv2d(6, 3, 2, 1, weightStandardization: WeightStandardization.Standard).MaxPool2d(2, 1).AvgPool2d(2, 1, 1);
        x = x.Conv2d(6, 3, groups: 3).DepthwiseConv2d(1).Flatten().Dense(18).Reshape(3, 6).Conv1d(4, 3).MaxPool1d(2, 1).AvgPool1d(3).Reshape(2, 2, 1);
        NetworkCursor last = x.Conv2d(3, 1, channelsLast: true).BatchNorm(channelsLast: true).GroupNorm(1, channelsLast: true).PRelu(perChannel: true, channelsLast: true);
        NetworkCursor pooled = last.GlobalAvgPool(channelsLast: true);
        return pooled.Concat([last.GlobalMaxPool(channelsLast: true), last.AdaptiveAvgPool2d(1).GlobalAvgPool()]);
    }

    /// <summary>A scalar to differentiate: the sum of the first input's elements, times the second.</summary>
    private sealed record SumOfProducts : Op
    {
        public override string Kind => "sum_of_products";

        public override System.Collections.Immutable.ImmutableArray<TensorType> Infer(ShapeScope scope) => [new TensorType(Shape.Scalar)];

        public override void Run<T>(in KernelContext<T> context)
        {
            T sum = T.Zero;
            foreach (T element in context.Input(0).Span)
            {
                sum += element;
            }
            context.Output(0).Span[0] = sum * context.Input(1).Span[0];
        }

        public override void Differentiate(GradientScope scope) =>
            scope.Contribute(0, scope.Emit(new Spread(scope.Input(0).Shape), "input", scope.Upstream));
    }

    /// <summary>A scalar in every element.</summary>
    private sealed record Spread(Shape Target) : Op
    {
        public override string Kind => "spread";

        public override System.Collections.Immutable.ImmutableArray<TensorType> Infer(ShapeScope scope) => [new TensorType(Target)];

        public override void Run<T>(in KernelContext<T> context) => context.Output(0).Span.Fill(context.Input(0).Span[0]);
    }
}
