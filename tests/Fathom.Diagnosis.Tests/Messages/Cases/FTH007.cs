using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class CollapsedSamplesMessage() : MessageCase("FTH007", Stage.Preflight, "is [0-9.e-]+ \\(limit", "limit 1e-6\\), where it is [0-9.]+ at dense_1")
{
    public override Subject Sick => SickNetworks.Vanishing();

    public override Subject Healthy => SickNetworks.Chain(10, net => net.Tanh(), new Orthogonal());
}
