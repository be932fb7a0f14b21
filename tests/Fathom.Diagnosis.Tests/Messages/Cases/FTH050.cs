using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LossSpikeMessage() : MessageCase("FTH050", Stage.Training, "was [0-9.e+]+, ×[0-9.e+]+ the median", "threshold 6")
{
    public override Subject Sick => new(Line(2), Outlier());

    public override Subject Healthy => new(Line(12), StepMeasurementTests.Linear(noise: 0.1));

    private static ModelDefinition Line(int epochs)
    {
        ModelDefinition line = StepMeasurementTests.Line(new Sgd(0.02), 16, epochs);
        return line with { Plan = line.Plan with { Clipping = new ClipByGlobalNorm(1) } };
    }

    /// <summary>One row's target is a thousand times the others'.</summary>
    private static DataSplit Outlier()
    {
        DataSet rows = StepMeasurementTests.Linear(noise: 0.1).Training;
        float[] targets = rows.Targets.ToArray();
        targets[1234] = 1000;
        DataSet data = DataSet.OfTargets("line", [4], rows.Inputs.ToArray(), targets);
        return new DataSplit(data, data);
    }
}
