using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class AttentionLogitGrowthMessage() : MessageCase("FTH045", Stage.Training, "reach [0-9.e+]+", "where [0-9]+ is the limit")
{
    public override Subject Sick => Large;

    public override Subject Healthy => AttentionEntropyCollapseMessage.Of(new Adam(0.002));

    private static Subject Large
    {
        get
        {
            Dictionary<string, Initializer> large = new() { ["in_proj_weight"] = new NormalInitializer(0, 8) };
            NetworkCursor start = Network.Input(8, 8).Dense(32).PositionalEmbedding(8);
            return AttentionEntropyCollapseMessage.Of(new Adam(0.001), start.Add(start.LayerNorm().Then(new MultiHeadAttention(4), null, large, [])));
        }
    }
}
