using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Sigmoids whose run ends half-way.</summary>
internal sealed class FallsShortMessage() : MessageCase("FTH067", Stage.Training, "leaves [0-9.]+ % of the variance of its own rows", "limit 10 %")
{
    public override Subject Sick => new(FallsShortTests.Sigmoids(new Adam(0.003), 60), FallsShortTests.Ripple());

    public override Subject Healthy => new(FallsShortTests.Tanhs(), FallsShortTests.Ripple());
}
