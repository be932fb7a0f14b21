using Fathom.Docs.Tests.Reference;
using Fathom.Training.Schedules;

namespace Fathom.Docs.Tests.Plots;

/// <summary>A schedule's factor over a run of 30 epochs.</summary>
internal static class SchedulePlots
{
    private const int Epochs = 30;
    private const int StepsPerEpoch = 20;

    public static string Write(Part part)
    {
        Schedule schedule = (Schedule)Example.Of(part);
        PlateauState? plateau = schedule.CreateFeedback();
        List<(double X, double Y)> points = [];
        for (int step = 0; step <= Epochs * StepsPerEpoch; step++)
        {
            if (step > 0 && step % StepsPerEpoch == 0)
            {
                // A loss that falls for eight epochs and then stays.
                plateau?.Report(Math.Max(0.2, 1 - 0.1 * step / StepsPerEpoch));
            }
            points.Add(((double)step / StepsPerEpoch, schedule.Factor(step, StepsPerEpoch, Epochs * StepsPerEpoch) * (plateau?.Factor ?? 1)));
        }
        return new Plot((0, Epochs), (0, 1.2), new Curve("factor on the learning rate", points))
        {
            Description = $"The factor of {part.Kind} over {Epochs} epochs",
            XTitle = plateau is null ? "epochs" : "epochs; the loss stands still from 8 on",
        }.Write();
    }
}
