using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>Draws small models: chains, residual blocks, concatenations, batch norm, given and automatic names.</summary>
internal sealed class RandomNetwork(int seed)
{
    private readonly Random random = new(seed);
    private int names;

    public ModelDefinition Draw()
    {
        NetworkCursor cursor = random.Next(4) == 0 ? Network.Input(4, 3).Then(new Flatten()) : Network.Input(random.Next(1, 9));
        int blocks = random.Next(1, 6);
        for (int i = 0; i < blocks; i++)
        {
            cursor = Block(cursor);
        }
        cursor = Dense(cursor, random.Next(2, 5));
        return new ModelDefinition(Pick("model", "a b", "x: y", "true", "1e3", "ünï \"q\"", "😀"), cursor.Build(), Plan(), Data());
    }

    private NetworkCursor Block(NetworkCursor cursor)
    {
        int width = random.Next(1, 7);
        switch (random.Next(4))
        {
            case 0:
                return cursor.Repeat(random.Next(1, 6), block => Activation(block.Then(new Dense(width), null, Initializers())));
            case 1:
                // Residual blocks, alike, so that they can be folded.
                NetworkCursor wide = Dense(cursor, width);
                return wide.Repeat(random.Next(1, 5), block => block.Then(new Dense(width)).Then(new Tanh()).Then(new Dense(width)).Then(new Add(), null, null, block));
            case 2:
                NetworkCursor left = Activation(Dense(cursor, width));
                NetworkCursor right = Dense(cursor, random.Next(1, 4));
                return left.Then(new Concat(), Name(), null, right);
            default:
                return Activation(cursor.Then(new BatchNorm(Math.Round(random.NextDouble(), 3), 1e-3, random.Next(2) == 0), Name()));
        }
    }

    private NetworkCursor Dense(NetworkCursor cursor, int width) => cursor.Then(new Dense(width, random.Next(4) > 0), Name(), Initializers(biasAllowed: false));

    private NetworkCursor Activation(NetworkCursor cursor) => cursor.Then(Pick<Op>(new Sigmoid(), new Relu(), new LeakyRelu(random.NextDouble()), new Elu(1e-5),
        new Gelu(true), new Dropout(0.25), new Softplus(2), new HardTanh(-2, 0.1), new HardSigmoid(0.2)), Name());

    private Dictionary<string, Initializer> Initializers(bool biasAllowed = true)
    {
        Dictionary<string, Initializer> initializers = [];
        if (random.Next(2) == 0)
        {
            initializers["weight"] = Pick<Initializer>(VarianceScaling.XavierNormal, VarianceScaling.HeUniform, VarianceScaling.LeCunNormal with { Scale = 1.7 },
                VarianceScaling.HeNormal with { Distribution = WeightDistribution.TruncatedNormal }, new VarianceScaling(random.NextDouble() + 0.1, FanMode.Out, WeightDistribution.Uniform),
                new Orthogonal(), new Orthogonal(Math.Sqrt(2)), new NormalInitializer(0, 1e-7), new UniformInitializer(-1d / 3, 1d / 3), new TruncatedNormalInitializer(1, 0.5, -3, 3));
        }
        if (biasAllowed && random.Next(3) == 0)
        {
            initializers["bias"] = Pick<Initializer>(ConstantInitializer.Ones, new ConstantInitializer(0.1), new ConstantInitializer(-1e-20));
        }
        return initializers;
    }

    private TrainingPlan Plan() => new()
    {
        Loss = Pick<Loss>(new CrossEntropy(), new CrossEntropy(FromLogits: false, LabelSmoothing: 0.1), new MeanSquaredError(), new Huber(0.3)),
        Optimizer = Pick<Optimizer>(new Sgd(), new Sgd(0.1, 0.9, Nesterov: true), new Adam(3e-4), new KerasAdam(WeightDecay: 0.01), new RmsProp(1d / 7)),
        Clipping = Pick<GradientClipping?>(null, new ClipByGlobalNorm(), new ClipByValue(0.25), new ClipByGlobalNorm(2, double.PositiveInfinity)),
        Schedule = Pick<Schedule>(ConstantSchedule.Instance, new CosineSchedule(Hold: 0.25), new ExponentialSchedule(0.9), new WarmupSchedule(7, Then: new CosineSchedule(5, 0.1)), new WarmupSchedule(3)),
        BatchSize = random.Next(1, 100),
        Epochs = random.Next(1, 100),
        Seed = (ulong)random.NextInt64() * 2 + 1,
    };

    private DataReference? Data() => Pick(null, new DataReference("digits"), new DataReference("csv:a b.csv", "0.2", "y", true), new DataReference("csv:train.csv", "csv:val,1.csv"));

    private string? Name() => random.Next(4) > 0 ? null : Pick("layer", "hidden_", "dense_9", "no", "ä ", "a:b", "1") + (++names);

    private T Pick<T>(params ReadOnlySpan<T> choices) => choices[random.Next(choices.Length)];
}
