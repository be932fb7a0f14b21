using Fathom.Docs.Tests.Reference;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training.Losses;

namespace Fathom.Docs.Tests.Plots;

/// <summary>A loss and its gradient over one output of the network, computed by the loss's own kernels in float64.</summary>
internal static class LossPlots
{
    private const double Reach = 4;
    private const int Steps = 160;

    public static string Write(Part part)
    {
        Loss loss = (Loss)part.Value;
        (double low, double high) = loss.Output == OutputMeaning.Probabilities ? (0, 1) : (-Reach, Reach);
        double[] x = [.. Enumerable.Range(0, Steps + 1).Select(i => low + (high - low) * i / Steps)];
        (double Loss, double Slope)[] points = [.. x.Select(value => Run(loss, value))];
        Plot plot = new((low, high), (-2.2, 4.2),
            new Curve("loss", [.. x.Zip(points, (at, point) => (at, point.Loss))]),
            new Curve("its slope", ActivationPlots.WithBreaks([.. x.Zip(points, (at, point) => (at, point.Slope))])))
        {
            Description = $"{part.Kind} and its gradient over one output",
            XTitle = Setting(loss),
        };
        return plot.Write();
    }

    private static string Setting(Loss loss) => loss switch
    {
        { Target: TargetForm.Index } => "first output, which is the class; the second is 0",
        KullbackLeibler => "first input of a log-softmax, target 3/4; the second is 0",
        _ => $"output, for the target {Target(loss)}",
    };

    private static double Target(Loss loss) => loss.Output is OutputMeaning.Margin or OutputMeaning.Logits or OutputMeaning.Probabilities ? 1 : 0;

    private static (double Loss, double Slope) Run(Loss loss, double x)
    {
        GraphRun<double> run = new();
        bool isPair = loss.Target == TargetForm.Index || loss is KullbackLeibler;
        Value prediction = run.Real("x", [1, isPair ? 2 : 1], isPair ? [x, 0] : [x]);
        prediction = loss is KullbackLeibler ? run.Builder.Add("log_softmax", new LogSoftmax(), [prediction]) : prediction;
        Value target = loss.Target == TargetForm.Index ? run.Index("t", [1], [0])
            : isPair ? run.Real("t", [1, 2], [0.75, 0.25]) : run.Real("t", [1, 1], [Target(loss)]);
        run.Output("loss", loss.Attach(run.Builder, prediction, target), [1.0]);
        run.Execute(["x"]);
        return (run.Results["loss"][0], run.Gradients["x"][0]);
    }
}
