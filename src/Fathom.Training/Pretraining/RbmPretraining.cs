using Fathom.Compute;
using Fathom.Graphs.Ops;
using Fathom.Training.Initialization;

namespace Fathom.Training.Pretraining;

/// <summary>
/// Each hidden layer of sigmoid units is trained as a restricted Boltzmann machine on the probabilities of the layer
/// before it; stacked, they are a deep belief network (Hinton, Osindero and Teh 2006). CD-k: Hinton 2002; PCD: Tieleman
/// 2008. Update: v ← momentum · v + rate · (⟨hxᵀ⟩ of the data − ⟨hxᵀ⟩ of the model − decay · W), W ← W + v; the defaults are
/// those of Hinton's practical guide (2010).
/// </summary>
/// <param name="Epochs">Passes over the training data for each layer; at least 1.</param>
/// <param name="LearningRate">Rate for binary visible units; greater than 0.</param>
/// <param name="GaussianLearningRate">Rate for a first layer of Gaussian visible units, which bears far less; greater than 0.</param>
/// <param name="Steps">Gibbs steps k; at least 1.</param>
/// <param name="Persistent">Whether the chains go on from batch to batch (PCD); there are as many as rows in a batch.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="WeightDecay">0 or more; for weights alone.</param>
/// <param name="Visible">Visible units of the first layer; those of the others are binary.</param>
public sealed record RbmPretraining(int Epochs = 10, double LearningRate = 0.1, double GaussianLearningRate = 0.001, int Steps = 1, bool Persistent = false,
    double Momentum = 0.5, double WeightDecay = 0.0002, VisibleUnits Visible = VisibleUnits.Auto) : PretrainingRule
{
    public override string Kind => "rbm";

    public override int Epochs { get; init; } = Epochs;

    public override void Validate()
    {
        Require(Epochs >= 1, "epochs", Epochs, "1 or more");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), "learning_rate", LearningRate, "greater than 0 and finite");
        Require(GaussianLearningRate > 0 && double.IsFinite(GaussianLearningRate), "gaussian_learning_rate", GaussianLearningRate, "greater than 0 and finite");
        Require(Steps >= 1, "steps", Steps, "1 or more");
        Require(Momentum is >= 0 and < 1, "momentum", Momentum, "from 0 to below 1");
        Require(WeightDecay >= 0 && double.IsFinite(WeightDecay), "weight_decay", WeightDecay, "0 or more and finite");
    }

    internal override string? Refusal(ChainLayer layer) =>
        layer.Activation is Sigmoid ? null : "a restricted Boltzmann machine has sigmoid units: take autoencoder for others";

    internal override LayerTrainer Start(ChainLayer layer, LayerData data, PreparationScope scope)
    {
        if (Visible == VisibleUnits.Bernoulli && !data.AreProbabilities)
        {
            throw new TrainingException($"pretraining rbm: the data that enter {layer.Layer.Name} do not lie in [0, 1], as bernoulli visible units need; take visible: gaussian, and standardize the data");
        }
        bool gaussian = !data.AreProbabilities || (Visible == VisibleUnits.Gaussian && data.Width == scope.Data.Features && IsFirst(layer, scope));
        return new Trainer(this, layer, data, scope, gaussian);
    }

    private static bool IsFirst(ChainLayer layer, PreparationScope scope) => ReferenceEquals(DenseChain.Of(scope.Model.Graph)[0].Layer, layer.Layer);

    private sealed class Trainer : LayerTrainer
    {
        private readonly RbmPretraining rule;
        private readonly LayerData data;
        private readonly BoltzmannMachine<float> machine;
        private readonly float[] batch;
        private readonly RandomKey key;
        private readonly double rate;

        public Trainer(RbmPretraining rule, ChainLayer layer, LayerData data, PreparationScope scope, bool gaussian)
        {
            (this.rule, this.data) = (rule, data);
            Buffer<float> bias = layer.Bias is null ? default : scope.Parameters.Value(scope.Parameters.Find(layer.Bias));
            // An epoch's last batch may have one row more.
            int rows = (int)Math.Min(scope.Model.Plan.BatchSize + 1L, data.Rows);
            machine = new BoltzmannMachine<float>(scope.Parameters.Value(scope.Parameters.Find(layer.Weight)), bias, layer.Inputs, layer.Units, gaussian, rows, scope.Pool);
            batch = new float[rows * data.Width];
            key = new RandomKey(scope.Seed, RandomKey.StreamOf($"{layer.Layer.Name}.pretraining"), 0);
            rate = gaussian ? rule.GaussianLearningRate : rule.LearningRate;
            SetVisibleBias(gaussian);
        }

        public override double Step(ReadOnlySpan<int> rows, long step)
        {
            data.Copy(rows, batch);
            double error = machine.Estimate(batch.AsSpan(0, rows.Length * data.Width), rule.Steps, rule.Persistent, key with { Step = (ulong)step });
            machine.Update(rate, rule.Momentum, rule.WeightDecay);
            return error;
        }

        public override void Dispose() => machine.Dispose();

        /// <summary>The bias with which units that nobody drives have the data's mean (Hinton 2010, section 8.1).</summary>
        private void SetVisibleBias(bool gaussian)
        {
            double[] means = data.Means();
            for (int j = 0; j < means.Length; j++)
            {
                double p = Math.Clamp(means[j], 0.01, 0.99);
                machine.VisibleBias.Span[j] = (float)(gaussian ? means[j] : Math.Log(p / (1 - p)));
            }
        }
    }
}
