namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class InitialBiasesMessage() : MessageCase("FTH025", Stage.Audit, "begin at -8, where relu_[0-9] keeps", "limit 1 %; Glorot and Bengio 2010, He et al. 2015")
{
    public override Subject Sick => DeadReluMessage.Sunken;

    public override Subject Healthy => HealthyRelu();
}
