using System.Globalization;
using Fathom.Graphs;
using Fathom.Training.Data;
using Fathom.Training.Initialization;

namespace Fathom.Training.Pretraining;

/// <summary>Trains the hidden layers one after the other, each on what the one before it gives.</summary>
internal static class GreedyPretraining
{
    /// <summary>Refuses a network that the rule cannot train.</summary>
    /// <exception cref="TrainingException">One line that names the layer.</exception>
    public static IReadOnlyList<ChainLayer> Layers(Graph network, PretrainingRule rule)
    {
        IReadOnlyList<ChainLayer> layers = DenseChain.Of(network);
        foreach (ChainLayer layer in layers)
        {
            if (rule.Refusal(layer) is { } refusal)
            {
                throw new TrainingException($"pretraining {rule.Kind}: {layer.Layer.Name} (dense) is read by {layer.Activation.Kind}; {refusal}");
            }
        }
        if (layers.GroupBy(layer => layer.Weight).FirstOrDefault(group => group.Count() > 1) is { } shared)
        {
            throw new TrainingException($"pretraining: {string.Join(" and ", shared.Select(layer => layer.Layer.Name))} share the weight {shared.Key}; each layer needs its own");
        }
        return layers;
    }

    /// <summary>Trains all layers. False if it was interrupted.</summary>
    public static bool Run(PretrainingRule rule, PreparationScope scope)
    {
        IReadOnlyList<ChainLayer> layers = Layers(scope.Model.Graph, rule);
        LayerData data = LayerData.Of(scope.Data);
        try
        {
            for (int i = 0; i < layers.Count; i++)
            {
                if (!Train(rule, layers[i], data, $"pre-training {layers[i].Layer.Name} ({i + 1} of {layers.Count})", scope))
                {
                    return false;
                }
                if (i + 1 < layers.Count)
                {
                    LayerData next = data.Through(layers[i], scope.Parameters, scope.Pool);
                    data.Dispose();
                    data = next;
                }
            }
            return true;
        }
        finally
        {
            data.Dispose();
        }
    }

    private static bool Train(PretrainingRule rule, ChainLayer layer, LayerData data, string stage, PreparationScope scope)
    {
        using LayerTrainer trainer = rule.Start(layer, data, scope);
        BatchOrder order = new(data.Rows, Math.Min(scope.Model.Plan.BatchSize, data.Rows), scope.Seed);
        double first = double.NaN, error = double.NaN;
        long step = 0;
        for (int epoch = 0; epoch < rule.Epochs; epoch++)
        {
            double sum = 0;
            for (int i = 0; i < order.StepsPerEpoch; i++, step++)
            {
                if (scope.Cancellation.IsCancellationRequested)
                {
                    return false;
                }
                sum += trainer.Step(order.Rows(step), step);
            }
            error = sum / data.Rows / data.Width;
            if (!double.IsFinite(error))
            {
                throw new TrainingException($"pretraining {rule.Kind}: the reconstruction error of {layer.Layer.Name} is no longer a number in epoch {epoch + 1}; lower the learning rate, or look for values in the data that are none");
            }
            first = epoch == 0 ? error : first;
            if (epoch + 1 < rule.Epochs)
            {
                scope.Tell(stage, (epoch + 1.0) / rule.Epochs, Text(first, error));
            }
        }
        trainer.Finish();
        scope.Tell(stage, 1, Text(first, error));
        return true;
    }

    private static string Text(double first, double error) =>
        string.Create(CultureInfo.InvariantCulture, $"mean squared reconstruction error {error:G4}{(error == first ? "" : $", in the first epoch {first:G4}")}");
}
