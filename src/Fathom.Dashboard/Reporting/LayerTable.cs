using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>The same numbers as the charts, for those who read a table more easily, or cannot see the charts.</summary>
internal static class LayerTable
{
    private const int MostLayers = 500;

    public static void Write(Markup page, RunData run)
    {
        int last = run.DetailSteps.Count - 1;
        page.Open("details").Element("summary", "Values per layer");
        page.Open("div", ("class", "scroll")).Open("table");
        page.Element("caption", $"From input to output, at the first measured step ({Count(run.DetailSteps[0])}) and the last ({Count(run.DetailSteps[last])})").Open("thead").Open("tr");
        foreach (string title in (string[])["Layer", "Operation", "Gradient norm, first", "Gradient norm, last", "Update : weight, last", "Saturated, last", "Zero, last"])
        {
            page.Element("th", title, ("scope", "col"));
        }

        page.Close().Close().Open("tbody");
        foreach (LayerSeries layer in run.Layers.Take(MostLayers))
        {
            page.Open("tr").Element("th", layer.Name, ("scope", "row")).Element("td", layer.Op);
            page.Element("td", Norm(layer.Gradient[0])).Element("td", Norm(layer.Gradient[last])).Element("td", Norm(layer.UpdateRatio[last]));
            page.Element("td", Percent(layer.Saturated[last])).Element("td", Percent(layer.Zeros[last])).Close();
        }

        page.Close().Close().Close();
        if (run.Layers.Count > MostLayers)
        {
            page.Element("p", $"{Plural(run.Layers.Count - MostLayers, "more layer")} in the run file.", ("class", "note"));
        }

        page.CloseLine();
    }

    private static string Norm(double value) =>
        double.IsNaN(value) ? "–" : double.IsInfinity(value) ? "not finite" : Short(value);
}
