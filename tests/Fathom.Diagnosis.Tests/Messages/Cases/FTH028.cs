using Fathom.Diagnosis.Tests.Audit;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class NarrowLayerMessage() : MessageCase("FTH028", Stage.Audit, "dense_2 has 1 unit", "more than the 6 inputs are safe \\(Lu et al. 2017\\)")
{
    public override Subject Sick => new(CommonMistakeTests.Network6(middle: 1), CommonMistakeTests.Rows());

    public override Subject Healthy => new(CommonMistakeTests.Network6(), CommonMistakeTests.Rows());
}
