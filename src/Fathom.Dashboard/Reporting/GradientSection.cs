using Fathom.Dashboard.Charts;
using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>Where the gradient goes: over depth, over depth and steps, and what is left of it as movement of the weights.</summary>
internal static class GradientSection
{
    private const int MostLines = 16;
    private const int MostProfilePoints = 400;

    /// <summary>
    /// A weight should move by about this share per step: the rule of thumb of Karpathy's notes for Stanford's CS231n,
    /// "Ratio of weights:updates".
    /// </summary>
    private const double UsualUpdate = 1e-3;

    public static void Write(Markup page, RunData run)
    {
        page.Open("section").Element("h2", "Where the gradient goes");
        if (run.Layers.Count == 0 || run.DetailSteps.Count == 0)
        {
            page.Element("p", "This run recorded no layer in detail, so its gradients cannot be followed through the network.", ("class", "notice")).CloseLine();
            return;
        }

        string gradient = run.GradientIsByOutput ? "each layer's output" : "each layer's weights";
        string thinned = run.DetailStride > 1 ? $" To bound the file, detail is kept for the first and latest steps, those near a finding, and otherwise every {Ordinal(run.DetailStride)}." : "";
        page.Element("p", $"The norm of the loss's gradient by {gradient}, {Plural(run.Layers.Count, "layer")}, measured at {Plural(run.DetailSteps.Count, "step")}.{thinned}", ("class", "note"));
        page.Open("div", ("class", "figures"));
        IReadOnlyList<int> profiles = DepthProfile.Choose(run);
        WriteProfile(page, run, profiles);
        WriteMap(page, run);
        WriteUpdates(page, run);
        string saturated = WriteShares(page, run, profiles, "Saturated outputs", "saturated", layer => layer.Saturated);
        string zero = WriteShares(page, run, profiles, "Outputs that are exactly 0", "0", layer => layer.Zeros);
        page.Close();
        if (saturated.Length + zero.Length != 0)
        {
            page.Element("p", (saturated + zero).TrimStart(), ("class", "note"));
        }

        LayerTable.Write(page, run);
        page.CloseLine();
    }

    private static void WriteProfile(Markup page, RunData run, IReadOnlyList<int> profiles)
    {
        int last = run.DetailSteps.Count - 1;
        string caption = $"The gradient norm {DepthProfile.Describe(run, last)}, at step {Count(run.DetailSteps[last])}.";
        if (profiles.Count > 1)
        {
            caption += $" At step {Count(run.DetailSteps[0])} it {DepthProfile.Describe(run, 0)}.";
        }

        LineChart chart = DepthChart(run, caption, "gradient norm (L2)", logarithmic: true, Profiles(run, profiles, layer => layer.Gradient, Exact));
        Figure.Write(page, "Gradient norm over depth", caption, chart);
    }

    private static void WriteMap(Markup page, RunData run)
    {
        int last = run.DetailSteps.Count - 1;
        string caption = $"Heat map over {Plural(run.Layers.Count, "layer")} and {Plural(run.DetailSteps.Count, "measured step")}: at the last one, the norm {DepthProfile.Describe(run, last)}. Dark is small; point at a cell for its value. A cell lasts until the next measured step.";
        Figure.Write(page, "Gradient norm over depth and steps", caption, GradientMap.Build(run, caption, "gradient norm (L2), powers of ten"));
    }

    private static void WriteUpdates(Markup page, RunData run)
    {
        LayerSeries[] measured = [.. run.Layers.Where(layer => layer.UpdateRatio.Any(ratio => !double.IsNaN(ratio)))];
        if (measured.Length == 0)
        {
            return;
        }

        LayerSeries[] shown = Spread(measured, MostLines);
        ChartSeries[] series = [.. shown.Select((layer, i) => new ChartSeries(layer.Name, ColourRamp.LineClass(i, shown.Length), Points(run, layer.UpdateRatio)))];
        (LayerSeries first, LayerSeries last) = (measured[0], measured[^1]);
        string caption = $"A step changes the weights of {first.Name} by {Short(LastOf(first.UpdateRatio))} of their norm" +
            (measured.Length > 1 ? $", those of {last.Name} by {Short(LastOf(last.UpdateRatio))}" : "") +
            $", at the last measured step; about {Short(UsualUpdate)} is usual." +
            (shown.Length < measured.Length ? $" {shown.Length} of {measured.Length} layers, evenly spread." : "");
        LineChart chart = new(caption, StepAxis.Title, "‖update‖ : ‖weights‖", StepAxis.Of(run), logarithmic: true, series, new ReferenceLine(UsualUpdate, "1e-3, usual"))
        {
            Events = StepAxis.Findings(run),
        };
        Figure.Write(page, "Update to weight ratio", caption, chart, ordered: true);
    }

    /// <summary>Draws the chart of a share; where there is none to draw, returns a sentence that says so.</summary>
    private static string WriteShares(Markup page, RunData run, IReadOnlyList<int> profiles, string title, string what, Func<LayerSeries, List<double>> of)
    {
        int last = run.DetailSteps.Count - 1;
        LayerSeries[] measured = [.. run.Layers.Where(layer => double.IsFinite(of(layer)[last]))];
        if (measured.Length == 0)
        {
            return $" {title} were not measured.";
        }

        if (run.Layers.All(layer => of(layer).All(share => !(share > 0))))
        {
            return $" {title}: none, in no layer at any measured step.";
        }

        LayerSeries worst = measured.MaxBy(layer => of(layer)[last])!;
        double most = of(worst)[last];
        string caption = most > 0
            ? $"At step {Count(run.DetailSteps[last])}, most at {worst.Activation}: {Percent(most)} of its outputs are {what}."
            : $"At step {Count(run.DetailSteps[last])}, no layer's outputs are {what}.";
        LineChart chart = DepthChart(run, caption, "share of outputs", logarithmic: false, Profiles(run, profiles, of, Percent), new LinearScale(0, 1));
        Figure.Write(page, title, caption, chart);
        return "";
    }

    /// <summary>A statistic over depth at several steps, one line per step.</summary>
    private static ChartSeries[] Profiles(RunData run, IReadOnlyList<int> steps, Func<LayerSeries, List<double>> of, Func<double, string> text)
    {
        LayerSeries[] shown = Spread([.. run.Layers], MostProfilePoints);
        double stride = shown.Length < 2 ? 0 : (run.Layers.Count - 1.0) / (shown.Length - 1);
        return
        [
            .. steps.Select((index, i) => new ChartSeries(
                $"step {Count(run.DetailSteps[index])}", ColourRamp.LineClass(i, steps.Count),
                [.. shown.Select((layer, depth) => new ChartPoint(1 + Math.Round(depth * stride), of(layer)[index])).Where(point => !double.IsNaN(point.Y))])
            {
                DotTitle = point => $"{run.Layers[(int)point.X - 1].Name}, step {Count(run.DetailSteps[index])}: {text(point.Y)}",
            }),
        ];
    }

    private static LineChart DepthChart(RunData run, string caption, string yTitle, bool logarithmic, ChartSeries[] series, LinearScale? y = null) =>
        new(caption, "layer, input → output", yTitle, new LinearScale(0.5, run.Layers.Count + 0.5, wholeNumbers: true), logarithmic, series)
        {
            Ends = run.Layers.Count > 1 ? (run.Layers[0].Name, run.Layers[^1].Name) : null,
            FixedY = y,
        };

    /// <summary>So many of the layers, evenly spread over depth, the first and the last among them.</summary>
    private static LayerSeries[] Spread(LayerSeries[] layers, int most) => layers.Length <= most
        ? layers
        : [.. Enumerable.Range(0, most).Select(i => layers[(int)Math.Round(i * (layers.Length - 1.0) / (most - 1))])];

    private static IReadOnlyList<ChartPoint> Points(RunData run, List<double> values) =>
        [.. values.Select((value, i) => new ChartPoint(run.DetailSteps[i], value)).Where(point => !double.IsNaN(point.Y))];

    private static double LastOf(List<double> values) => values.FindLast(value => !double.IsNaN(value));

    private static string Ordinal(long stride) => stride == 2 ? "second step" : Count(stride) + "th step";
}
