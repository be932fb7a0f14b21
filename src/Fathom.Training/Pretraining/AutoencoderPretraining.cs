using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Initialization;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Pretraining;

/// <summary>How an autoencoder's input is damaged.</summary>
public enum CorruptionKind
{
    /// <summary>Elements are set to 0 with a probability.</summary>
    Masking,

    /// <summary>Normal noise of a standard deviation is added.</summary>
    Gaussian,
}

/// <summary>
/// Each hidden layer is trained as the encoder of an autoencoder (Bengio et al. 2007) that has to restore its input, a
/// damaged one if there is corruption (denoising, Vincent et al. 2008): h = φ(Wx̃ + b), x̂ = Wᵀh + a, or with a decoder
/// weight of its own. The loss is the sum over elements of the cross-entropy of σ(x̂) with x where the layer's input lies
/// in [0, 1], otherwise of (x̂ − x)², with the mean over the batch. Adam takes the steps, which needs no rate that fits
/// the scale of the data. Any activation.
/// </summary>
/// <param name="Epochs">Passes over the training data for each layer; at least 1.</param>
/// <param name="LearningRate">Adam's rate; greater than 0.</param>
/// <param name="Corruption">Probability of masking, from 0 to below 1, or the noise's deviation, 0 or more; 0 for a plain autoencoder.</param>
/// <param name="Noise">Which of the two.</param>
/// <param name="Tied">Whether the decoder has the encoder's weight, transposed.</param>
public sealed record AutoencoderPretraining(int Epochs = 10, double LearningRate = 0.001, double Corruption = 0.3, CorruptionKind Noise = CorruptionKind.Masking, bool Tied = true) : PretrainingRule
{
    public override string Kind => "autoencoder";

    public override int Epochs { get; init; } = Epochs;

    public override void Validate()
    {
        Require(Epochs >= 1, "epochs", Epochs, "1 or more");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), "learning_rate", LearningRate, "greater than 0 and finite");
        Require(Corruption >= 0 && (Noise == CorruptionKind.Masking ? Corruption < 1 : double.IsFinite(Corruption)), "corruption", Corruption,
            Noise == CorruptionKind.Masking ? "from 0 to below 1" : "0 or more and finite");
    }

    internal override string? Refusal(ChainLayer layer) => null;

    internal override LayerTrainer Start(ChainLayer layer, LayerData data, PreparationScope scope) => new Trainer(this, layer, data, scope);

    /// <summary>One hidden layer with its decoder as a small graph, run by the engine that trains whole networks.</summary>
    private sealed class Trainer : LayerTrainer
    {
        private const string Encoder = "encoder";

        private readonly AutoencoderPretraining rule;
        private readonly ChainLayer layer;
        private readonly LayerData data;
        private readonly PreparationScope scope;
        private readonly DifferentiatedGraph graph;
        private readonly Value input, target, output;
        private readonly ParameterStore<float> store;
        private readonly OptimizerState<float> optimizer;
        private readonly Adam adam;
        private readonly UpdateSize[] updates;
        private readonly Dictionary<int, ExecutionPlan<float>> plans = [];
        private readonly RandomKey key;

        public Trainer(AutoencoderPretraining rule, ChainLayer layer, LayerData data, PreparationScope scope)
        {
            (this.rule, this.layer, this.data, this.scope) = (rule, layer, data, scope);
            GraphBuilder builder = new();
            input = builder.Input("input", new TensorType(Shape.OfSamples(layer.Inputs)));
            target = builder.Input("target", new TensorType(Shape.OfSamples(layer.Inputs)));
            Value pre = builder.Layer(new Dense(layer.Units, layer.Bias is not null), Encoder, [input]);
            Value hidden = builder.Add("hidden", layer.Activation, [pre]);
            output = rule.Tied
                ? builder.Add("decoder", new TiedDecoder(), [hidden, pre.Node.Inputs[1], builder.Parameter("decoder.bias", Shape.Of(layer.Inputs), ConstantInitializer.Zeros)])
                : builder.Layer(new Dense(layer.Inputs), "decoder", [hidden]);
            Op loss = data.AreProbabilities ? new BinaryCrossEntropyLoss(Reduction: LossReduction.BatchMean) : new MeanSquaredErrorLoss(LossReduction.BatchMean);
            Value scalar = builder.Add("loss", loss, [output, target]);
            graph = Autodiff.Differentiate(builder.Build(output, scalar), scalar);
            store = new ParameterStore<float>(graph.Graph);
            store.Initialize(scope.Seed);
            Exchange((own, session) => session.Span.CopyTo(own));
            adam = new Adam(rule.LearningRate);
            optimizer = new OptimizerState<float>(store, adam);
            updates = new UpdateSize[store.Slices.Count];
            key = new RandomKey(scope.Seed, RandomKey.StreamOf($"{layer.Layer.Name}.pretraining"), 0);
        }

        public override double Step(ReadOnlySpan<int> rows, long step)
        {
            ExecutionPlan<float> plan = PlanFor(rows.Length);
            data.Copy(rows, plan.Real(target).Span);
            Corrupt(plan.Real(target), plan.Real(input), key with { Step = (ulong)step });
            plan.Run(training: true, scope.Seed, step);
            double error = Error(plan.Real(output), rows);
            optimizer.Step(adam, adam.LearningRate, step + 1, updates, scope.Pool);
            return error;
        }

        public override void Finish() => Exchange((own, session) => own.Span.CopyTo(session));

        public override void Dispose()
        {
            foreach (ExecutionPlan<float> plan in plans.Values)
            {
                plan.Dispose();
            }
            optimizer.Dispose();
            store.Dispose();
        }

        private void Exchange(Action<Buffer<float>, Buffer<float>> copy)
        {
            copy(store.Value(store.Find($"{Encoder}.weight")), scope.Parameters.Value(scope.Parameters.Find(layer.Weight)));
            if (layer.Bias is { } bias)
            {
                copy(store.Value(store.Find($"{Encoder}.bias")), scope.Parameters.Value(scope.Parameters.Find(bias)));
            }
        }

        private void Corrupt(Buffer<float> clean, Buffer<float> damaged, RandomKey at)
        {
            if (rule.Corruption == 0)
            {
                clean.Span.CopyTo(damaged);
            }
            else if (rule.Noise == CorruptionKind.Masking)
            {
                RandomFill.Bernoulli(at, 1 - rule.Corruption, 1f, damaged);
                TensorPrimitives.Multiply<float>(clean.Span, damaged.Span, damaged.Span);
            }
            else
            {
                RandomFill.Normal(at, 0f, (float)rule.Corruption, damaged);
                TensorPrimitives.Add<float>(clean.Span, damaged.Span, damaged.Span);
            }
        }

        /// <summary>Squared error against the data, which by now the plan may have overwritten.</summary>
        private double Error(Buffer<float> reconstruction, ReadOnlySpan<int> rows)
        {
            Span<float> values = reconstruction.Span;
            if (data.AreProbabilities)
            {
                TensorPrimitives.Sigmoid(values, values);
            }
            double sum = 0;
            for (int i = 0; i < rows.Length; i++)
            {
                float distance = TensorPrimitives.Distance<float>(values.Slice(i * data.Width, data.Width), data.Values.Span.Slice(rows[i] * data.Width, data.Width));
                sum += (double)distance * distance;
            }
            return sum;
        }

        private ExecutionPlan<float> PlanFor(int rows)
        {
            if (!plans.TryGetValue(rows, out ExecutionPlan<float>? plan))
            {
                Dictionary<string, Value> gradients = graph.Graph.Parameters.ToDictionary(node => node.Name, node => graph.Gradients[node.Output]);
                plans[rows] = plan = ExecutionPlan<float>.Create(graph.Graph, rows, store, scope.Pool, [output], gradients);
            }
            return plan;
        }
    }
}
