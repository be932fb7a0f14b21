using Fathom.Graphs.Blocks;
using Fathom.Graphs.Ops;
using Fathom.Graphs;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class TokenCollapseMessage() : MessageCase("FTH046", Stage.Training, "differ by [0-9.e-]+ of their norm", "where [0-9.e-]+ is the limit")
{
    public override Subject Sick => AttentionEntropyCollapseMessage.Of(new Adam(0.002), Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(6, net => net.MultiHeadAttention(4)), epochs: 2);

    public override Subject Healthy => AttentionEntropyCollapseMessage.Of(new Adam(0.002), Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(6, net => net.Add(net.LayerNorm().MultiHeadAttention(4))));
}
