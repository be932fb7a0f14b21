using System.Collections.Immutable;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>What to do where a network that runs here in float32 is to run in 16 bits elsewhere; Fathom cannot try that itself.</summary>
public sealed class LowerPrecision : Remedy
{
    public override string Kind => "precision";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "advice only: numbers that overflow, or a rule that asks for it";

    public override string Effect => "bf16 has float32's range with 8 bits of precision, fp16 flushes gradients below 6·10⁻⁸ to 0 unless the loss is scaled up; weights and optimizer state stay in float32";

    public override string Source => "Micikevicius et al. 2018; Kalamkar et al. 2019 (bf16)";

    protected override ImmutableArray<string>? MadeFor => [Causes.Numerical];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history) => [];

    public override string Advise(ModelDefinition model, CaseHistory history) => history.Has(Causes.Numerical)
        ? "Numbers overflow even in float32: mend that before training in 16 bits; then prefer bf16, whose range is float32's."
        : "In 16 bits keep weights and optimizer state in float32 and prefer bf16; with fp16 scale the loss ('fathom check' says by how much).";
}
