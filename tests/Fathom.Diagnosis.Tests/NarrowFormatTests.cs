using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

public sealed class NarrowFormatTests
{
    [Fact]
    public void GradientsThatFp16LosesAreNamedWithTheScaleThatSavesThem()
    {
        // Twelve sigmoids cost half a decade each.
        Finding finding = Of(Asked(SickNetworks.Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal), Precision.Fp16))!;

        Assert.Equal((Severity.Warning, Causes.Numerical), (finding.Severity, finding.Cause));
        Assert.Contains("dense_1", finding.Layers);
        Assert.InRange(finding.Evidence["lost_share"].Measured, 0.05, 1);
        double scale = finding.Evidence["loss_scale"].Measured;
        Assert.True(scale >= 1024 && double.IsPow2(scale), $"{scale}");
        Assert.Matches(@"below half of fp16's smallest number \(3e-8\) .*\(limit 5 %\)", finding.Explanation);
        Assert.Contains($"scale the loss by 2^{(int)Math.Log2(scale)}: ", finding.Action);
        Assert.True(finding.Step < 30);
    }

    [Fact]
    public void Bf16HasTheRangeOfFloat32() =>
        Assert.Null(Of(Asked(SickNetworks.Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal), Precision.Bf16)));

    [Fact]
    public void WhatIsBeyondTheFormatIsANoteWhereNobodyAsked()
    {
        VarianceScaling large = new(2e9, FanMode.In, WeightDistribution.Normal);
        Finding finding = Of(SickNetworks.Chain(2, net => net.Relu(), large, rate: 1e-12))!;

        Assert.Equal((Severity.Info, Causes.None), (finding.Severity, finding.Cause));
        Assert.Contains("where fp16 ends at 65504", finding.Explanation);
    }

    [Xunit.Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void AHealthyNetworkIsLeftAlone(Precision precision) => Assert.Null(Of(Asked(SickNetworks.HealthyRelu(), precision)));

    private static ModelDefinition Asked(ModelDefinition model, Precision precision) => model with { Plan = model.Plan with { Precision = precision } };

    private static Finding? Of(ModelDefinition model)
    {
        using WatchedRun run = new(model, SickNetworks.Digits);
        Finding? found = null;
        run.Monitor.Found += finding => found = finding.Rule == "FTH066" ? finding : found;
        run.Advance();
        return found;
    }
}
