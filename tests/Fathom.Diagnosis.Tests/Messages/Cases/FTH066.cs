using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>A plan for fp16, and a gradient that fades below its smallest number.</summary>
internal sealed class NarrowFormatMessage() : MessageCase("FTH066", Stage.Training, "^[0-9.]+ % of dense_1.weight gradient", @"\(limit 5 %\)")
{
    public override Subject Sick => Asked(SickNetworks.Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal), Precision.Fp16);

    public override Subject Healthy => Asked(HealthyRelu(), Precision.Bf16);

    private static ModelDefinition Asked(ModelDefinition model, Precision precision) => model with { Plan = model.Plan with { Precision = precision } };
}

/// <summary>Nobody asked for fp16: numbers beyond its end are a note.</summary>
internal sealed class NarrowFormatNoteMessage() : MessageCase("FTH066", Stage.Training, @"up to [0-9.]+e\+", "fp16 ends at 65504", "note")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Relu(), new VarianceScaling(2e9, FanMode.In, WeightDistribution.Normal), rate: 1e-12);

    public override Subject Healthy => HealthyRelu();
}
