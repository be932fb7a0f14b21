using System.CommandLine;
using System.Globalization;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;

namespace Fathom.Corpus;

/// <summary><c>features</c>: what the monitor measures of the tuning part, as a table to choose thresholds on.</summary>
internal static class FeaturesVerb
{
    private static readonly double[] Moments = [0.02, 0.05, 0.1, 0.25, 0.5, 1];

    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Option<int> count = CorpusOptions.Count(), workers = CorpusOptions.Workers();
        Argument<string> output = new("CSV") { Description = "The table." };
        Option<int> moments = new("--moments") { HelpName = "N", Description = "This many moments, evenly spaced, and each layer's measurements (default: six moments, at 2 to 100 %)." };
        Command command = new("features", "Write down what the monitor measures of each network of the tuning part, at some moments of its run.") { output, folder, count, workers, moments };
        command.SetAction((parsed, cancellation) =>
        {
            Dictionary<int, Label> labels = CorpusOptions.ReadLabels(parsed.GetRequiredValue(folder));
            LineStore store = new(parsed.GetRequiredValue(output), "number,family,fault,outcome,causes,share,loss,first,constant,trend,gradient,gap,update_min,update_median,update_max,decades,fit,saturated,zeros,dead,growth,time,score,gradients,updates,growths,all_saturated,all_zeros,gradient_norm,sharpness,raised,steps,unlearnt,unlearnt_least,unlearnt_end,trend,since75,expected,neighbours,says");
            int wanted = parsed.GetValue(moments);
            double[] shares = wanted > 0 ? [.. Enumerable.Range(1, wanted).Select(i => i / (double)wanted)] : Moments;
            CorpusCase[] networks = [.. Enumerable.Range(0, parsed.GetValue(count)).Where(labels.ContainsKey).Select(number => Generator.Case(number)).Where(network => !network.IsTest)];
            Parallel.ForEach(networks, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, parsed.GetValue(workers)), CancellationToken = cancellation },
                network => Measure(network, labels[network.Number], shares, store, cancellation));
            return Task.FromResult(0);
        });
        return command;
    }

    private static void Measure(CorpusCase network, Label label, double[] shares, LineStore store, CancellationToken cancellation)
    {
        using WorkerPool pool = new(1);
        using WatchedRun run = new(RecipeBuilder.Model(network.Recipe, network.Name, network.Seed), RecipeBuilder.Data(network.Recipe), pool);
        Subject subject = Subject.Of(network, label);
        run.Advance(1, cancellation);
        Observation seen = run.Monitor.Observation;
        double[] weights = [.. seen.Layers.Select(layer => layer.WeightNorm)];
        double half = seen.Loss;
        foreach (double share in shares)
        {
            run.Advance((long)Math.Ceiling(share * run.Session.TotalSteps), cancellation);
            double[] updates = [.. seen.Layers.Select(layer => layer.LogRelativeUpdate).Order()];
            DepthFit fit = seen.GradientOverDepth;
            IReadOnlyList<Fathom.Training.UnitActivity> units = share == 1 || shares.Length < 20 ? seen.Units() : [];
            double dead = units.Count == 0 ? 0 : units.Max(layer => (double)layer.Dead / layer.Units);
            double time = seen.RecurrentLayers.Count == 0 ? double.NaN : seen.RecurrentLayers.Min(layer => layer.MeanLogGradients[0] - layer.MeanLogGradients[^1]);
            object[] row =
            [
                network.Number, network.Recipe.Family, network.Fault?.Name ?? "", label.Outcome, string.Join(' ', subject.RightCauses.Order()), share,
                seen.Loss, seen.FirstLoss, seen.ConstantLoss, seen.Loss / half, seen.Layers.Select(layer => layer.LogGradient).LastOrDefault(),
                seen.Layers.Count < 2 ? 0 : seen.Layers[0].LogGradient - seen.Layers[^1].LogGradient, updates[0], updates[updates.Length / 2], updates[^1], fit.Decades, fit.Fit,
                seen.Layers.Max(layer => double.IsNaN(layer.Saturated) ? 0 : layer.Saturated), seen.Layers.Max(layer => double.IsNaN(layer.Zeros) ? 0 : layer.Zeros), dead,
                seen.Layers.Select((layer, i) => Math.Log10(layer.WeightNorm / weights[i])).DefaultIfEmpty(0).Min(), time, share == 1 || shares.Length < 20 ? run.Session.Evaluate(run.Session.Data.Validation).Metric : double.NaN,
                Row(seen, layer => layer.LogGradient), Row(seen, layer => layer.LogRelativeUpdate), Row(seen, layer => layer.LogGrowth), Row(seen, layer => layer.Saturated), Row(seen, layer => layer.Zeros),
                Math.Log10(seen.Step.GradientNorm), seen.StepSharpness, seen.RaisedShare,
                seen.TotalSteps, seen.Unlearnt(seen.Losses.Now), seen.Unlearnt(seen.Losses.Least), seen.UnlearntAtTheEnd, seen.Losses.Trend, seen.Losses.Since(0.75), seen.ExpectedDecades,
                seen.NeighbourSkill, string.Join(' ', run.Findings.Select(finding => $"{finding.Severity.ToString()[0]}{finding.Rule[3..]}:{finding.Cause}")),
            ];
            store.Append(string.Join(',', row.Select(value => value is double number ? number.ToString("0.####", CultureInfo.InvariantCulture) : value.ToString()!.Replace(',', ' '))));
            half = seen.Loss;
            if (run.Ended)
            {
                break;
            }
        }
    }

    private static string Row(Observation seen, Func<LayerTrace, double> of) => string.Join(' ', seen.Layers.Select(layer => of(layer).ToString("0.##", CultureInfo.InvariantCulture)));
}
