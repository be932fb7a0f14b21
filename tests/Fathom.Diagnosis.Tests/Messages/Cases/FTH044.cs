using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class AttentionEntropyCollapseMessage() : MessageCase("FTH044", Stage.Training, "have [0-9.]+ % of a uniform row", "where 2 % is the limit")
{
    public override Subject Sick => Of(new Adam(0.3, 0.1, 0.1));

    public override Subject Healthy => Of(new Adam(0.002));

    /// <summary>Steps that are far too long take another path with every rounding.</summary>
    public override double Rounding => 1;

    internal static ModelDefinition Of(Optimizer optimizer, NetworkCursor? network = null, int epochs = 10) => new("attention",
        (network ?? Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(2, net => net.TransformerBlock(4, 64)).LayerNorm()).Mean([1]).Dense(10).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, BatchSize = 32, Epochs = epochs });
}
