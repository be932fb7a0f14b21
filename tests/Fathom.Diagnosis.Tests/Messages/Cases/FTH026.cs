using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class HiddenSoftmaxMessage() : MessageCase("FTH026", Stage.Audit, "its 24 outputs add up to 1", "Goodfellow et al. 2016")
{
    public override Subject Sick => new(CommonMistakeTests.Network6(net => net.Softmax()), CommonMistakeTests.Rows());

    public override Subject Healthy => new(CommonMistakeTests.Network6(), CommonMistakeTests.Rows());
}
