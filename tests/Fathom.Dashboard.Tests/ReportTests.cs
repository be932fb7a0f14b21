using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using Fathom.Runs;

namespace Fathom.Dashboard.Tests;

public sealed class ReportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AVanishingRunTellsItsFindingInTheOrderAReaderAsks()
    {
        XDocument page = Parse(Render(new SyntheticRun()));
        Assert.Equal(
            ["What is wrong", "How training went", "Where the gradient goes", "What happened", "The run"],
            page.Descendants("h2").Select(one => one.Value));
        XElement finding = WithClass(page, "article", "error");
        foreach (string part in (string[])["FTH001", "vanishing", "dense_1 to dense_16 (16 layers)", "step 9", "93 %", "A sigmoid's slope is at most 0.25.", "numerical failure", "batch norm"])
        {
            Assert.Contains(part, finding.Value);
        }

        XElement row = finding.Descendants("tr").Single(one => one.Value.StartsWith("gradient factor per layer", StringComparison.Ordinal));
        Assert.Equal(["0.22", "0.21"], row.Elements("td").Select(one => one.Value));
        XElement unexpected = finding.Descendants("tr").Single(one => one.Value.StartsWith("first over last gradient", StringComparison.Ordinal));
        Assert.Equal(["3.2e-13", "–"], unexpected.Elements("td").Select(one => one.Value));
        Assert.Contains("1 error. Foremost: vanishing gradient at dense_1 to dense_16 (16 layers).", page.Descendants("p").Select(one => one.Value));
    }

    [Fact]
    public void AFindingThatWasWithdrawnComesLastAndSaysSo()
    {
        XElement[] findings = [.. Parse(Render(new SyntheticRun())).Descendants("article")];
        Assert.Equal(2, findings.Length);
        Assert.DoesNotContain("No longer held", findings[0].Value);
        Assert.Contains("No longer held from step 120 on.", findings[1].Value);
        Assert.Contains("FTH003", findings[1].Value);
        foreach (string part in (string[])["Next: Draw smaller initial weights.", "How it comes about", "Its slope is near 0 there.", "Which brings about", "FTH001 vanishing gradient: It falls to 1e-5."])
        {
            Assert.Contains(part, findings[1].Value);
        }
    }

    [Fact]
    public void EveryChartSaysInWordsWhatItShows()
    {
        SyntheticRun run = new();
        XElement[] charts = [.. Parse(Render(run)).Descendants("svg").Where(one => (string?)one.Attribute("role") == "img")];
        Assert.Equal(8, charts.Length);
        Assert.All(charts, chart => Assert.NotEmpty((string)chart.Attribute("aria-label")!));
        Assert.All(charts, chart => Assert.Equal("figure", chart.Parent!.Name.LocalName));
        Assert.All(charts, chart => Assert.NotEmpty(chart.Parent!.Element("figcaption")!.Element("h3")!.Value));

        // What VanishingNorm gives for the ends at step 299: 0.08 / 3.99 · (1 + 0.1 sin …), and 0.22¹⁹ of it.
        string words = $"falls from {Three(run.VanishingNorm(19, 299))} at dense_20 to {Three(run.VanishingNorm(0, 299))} at dense_1";
        Assert.Contains(charts, chart => ((string)chart.Attribute("aria-label")!).Contains(words, StringComparison.Ordinal));
        static string Three(double value) => value >= 0.001
            ? value.ToString("G3", CultureInfo.InvariantCulture)
            : value.ToString("0.##e+0", CultureInfo.InvariantCulture);
    }

    [Fact]
    public void TheHeatMapHoldsTheExactValueOfEachCell()
    {
        SyntheticRun run = new() { Layers = 5, Steps = 40 };
        XElement map = WithClass(Parse(Render(run)), "svg", "heat");
        string[] titles = [.. map.Descendants("title").Select(one => one.Value)];
        Assert.Equal(5 * 40, titles.Length);
        foreach ((int layer, long step) in ((int, long)[])[(0, 0), (4, 39), (2, 17)])
        {
            string start = $"dense_{layer + 1}, step {step}: ";
            double shown = double.Parse(Assert.Single(titles, one => one.StartsWith(start, StringComparison.Ordinal))[start.Length..], CultureInfo.InvariantCulture);
            Assert.Equal(1, shown / run.VanishingNorm(layer, step), 1e-5);
        }
    }

    [Fact]
    public void TextFromTheRunNeverBecomesMarkup()
    {
        const string attack = "</title></style><script>alert(1)</script>\"'&\u0000\ud800";
        SyntheticRun run = new() { Name = attack, Model = "</code></pre>" + attack, Layers = 3, Steps = 20 };
        string html = Render(run);
        Assert.DoesNotContain("<script", html);
        XDocument page = Parse(html);
        Assert.StartsWith("</title></style><script>alert(1)</script>\"'&", page.Descendants("h1").Single().Value);
        Assert.Contains("default-src 'none'", html);
        Assert.DoesNotContain(page.Descendants().Attributes(), one => one.Name.LocalName is "src" or "href" || one.Name.LocalName.StartsWith("on", StringComparison.Ordinal));
        Assert.DoesNotContain("http://", html);
        Assert.DoesNotContain("https://", html);
    }

    [Fact]
    public void GradientsOfZeroAndNotANumberAreShownAsSuch()
    {
        SyntheticRun run = new()
        {
            Layers = 8, Steps = 60, Status = RunStatus.Diverged,
            Gradient = static (layer, step) => step >= 50 && layer == 1 ? double.NaN : step >= 20 && layer == 0 ? 0 : -1,
        };
        XDocument page = Parse(Render(run));
        string[] titles = [.. page.Descendants("title").Select(one => one.Value)];
        Assert.Contains("dense_1, step 20: 0", titles);
        Assert.Contains("dense_2, step 55: NaN or infinite", titles);
        Assert.Contains(page.Descendants("svg").Attributes("aria-label"), one => one.Value.Contains("is not finite at dense_2", StringComparison.Ordinal));
        RequireFiniteCoordinates(page);
    }

    [Fact]
    public void LossesThatAreNotFiniteLeaveTheChartsReadable()
    {
        RunHeader header = new() { Name = "n", Model = "" };
        using (RunWriter writer = RunWriter.Create(_folder.File(), header, []))
        {
            double[] losses = [1, double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e308, 0];
            for (int step = 0; step < losses.Length; step++)
            {
                writer.AppendStep(new StepRow(step, 0, losses[step], 0, losses[step], losses[step], 0), []);
            }

            writer.AppendEvaluation(3, 0, "validation", double.NaN, double.NaN, "accuracy");
        }

        XDocument page = Parse(Report.Render(_folder.File()));
        RequireFiniteCoordinates(page);
        Assert.Contains("It is not finite in 3 steps.", page.ToString());
        Assert.Contains("recorded no layer in detail", page.ToString());
    }

    [Fact]
    public void AnEmptyRunSaysThatItHasNoSteps()
    {
        XDocument page = Parse(Render(new SyntheticRun { Steps = 0, Status = null }));
        Assert.Contains("This run has no steps yet", WithClass(page, "p", "notice").Value);
        Assert.Empty(page.Descendants("svg"));
        Assert.Contains("deep-sigmoid", page.Descendants("code").First().Value);
    }

    [Fact]
    public void AnUnfinishedRunIsReportedWhileItsWriterIsAtWork()
    {
        SyntheticRun run = new() { Layers = 3 };
        using RunWriter writer = RunWriter.Create(_folder.File(), new RunHeader { Name = "live", Model = "" }, run.Columns());
        TensorRow[] rows = new TensorRow[run.Columns().Count];
        Array.Fill(rows, new TensorRow { L2 = 0.5, Count = 4 });
        writer.AppendStep(new StepRow(0, 0, 2.5, 0.1, 1, 1, 1), rows);
        string page = Report.Render(_folder.File());
        Assert.Contains("unfinished: still running, or its process was killed", page);
        RequireFiniteCoordinates(Parse(page));

        writer.AppendStep(new StepRow(1, 0, 2.4, 0.1, 1, 1, 1), rows);
        Assert.Contains("2.5 → 2.4", Report.Render(_folder.File()));
    }

    [Fact]
    public void AThinnedRunSaysSo()
    {
        SyntheticRun run = new() { Layers = 10, Steps = 1500, Options = new RunWriterOptions { ByteBudget = 3_000_000 } };
        string page = Render(run);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.True(reader.DetailStride > 1);
        Assert.Contains("To bound the file, detail is kept", page);
        RequireFiniteCoordinates(Parse(page));
    }

    [Fact]
    public void AForeignRunWithoutParametersIsFollowedByItsNodesGradients()
    {
        TensorColumn[] columns = [.. Enumerable.Range(1, 4).Select(i => new TensorColumn($"block{i}", $"block{i} gradient", TensorRole.ActivationGradient, i, "", 8))];
        using (RunWriter writer = RunWriter.Create(_folder.File(), new RunHeader { Name = "foreign", Model = "" }, columns))
        {
            writer.AppendStep(new StepRow(5, 0, 1, 0.1, 1, 1, 0), [.. Enumerable.Range(1, 4).Select(i => new TensorRow { L2 = Math.Pow(10, i - 4), Count = 8 })]);
        }

        string page = Report.Render(_folder.File());
        Assert.Contains("falls from 1 at block4 to 0.001 at block1, on average ×0.1 per layer", page);
    }

    [Fact]
    public void NormalisationsAreNoLayersAndActivationsAreFoundBehindThem()
    {
        TensorColumn[] columns =
        [
            new("dense_1", "dense_1", TensorRole.Activation, 1, "dense", 8),
            new("dense_1", "dense_1 gradient", TensorRole.ActivationGradient, 1, "dense", 8),
            new("dense_1", "w gradient", TensorRole.ParameterGradient, 1, "parameter", 64),
            new("norm_1", "norm_1", TensorRole.Activation, 1, "batch_norm", 8),
            new("norm_1", "norm_1 gradient", TensorRole.ActivationGradient, 1, "batch_norm", 8),
            new("norm_1", "scale gradient", TensorRole.ParameterGradient, 1, "parameter", 8),
            new("relu_1", "relu_1", TensorRole.Activation, 1, "relu", 8),
        ];
        TensorRow[] rows = new TensorRow[columns.Length];
        Array.Fill(rows, new TensorRow { L2 = 1, Count = 8 });
        rows[6].Zeros = 6;
        using (RunWriter writer = RunWriter.Create(_folder.File(), new RunHeader { Name = "n", Model = "" }, columns))
        {
            writer.AppendStep(new StepRow(0, 0, 1, 0.1, 1, 1, 0), rows);
        }

        string page = Report.Render(_folder.File());
        Assert.Contains("gradient by each layer's output, 1 layer,", Parse(page).ToString());
        Assert.Contains("most at relu_1: 75 % of its outputs are 0", page);
    }

    [Fact]
    public void TheSameRunGivesTheSameBytesWhateverTheLanguage()
    {
        new SyntheticRun { Layers = 6, Steps = 80 }.WriteTo(_folder.File());
        Report.Write(_folder.File(), _folder.File("a.html"));
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        comma.NumberFormat.NegativeSign = "~";
        CultureInfo.CurrentCulture = comma;
        try
        {
            Report.Write(_folder.File(), _folder.File("b.html"));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        Assert.Equal(File.ReadAllBytes(_folder.File("a.html")), File.ReadAllBytes(_folder.File("b.html")));
        Assert.Equal(["a.html", "a.run", "b.html"], Directory.GetFiles(_folder.Root).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void TheSizeOfThePageIsBoundedHoweverLongAndDeepTheRun()
    {
        SyntheticRun run = new() { Layers = 250, Steps = 700, Gradient = static (layer, step) => (step + layer) % 97 == 0 ? double.NaN : -1 };
        string html = Render(run);
        XDocument page = Parse(html);
        XElement map = WithClass(page, "svg", "heat");
        XElement[] rows = [.. map.Elements("g")];
        Assert.InRange(rows.Length, 100, 200);
        Assert.All(rows, row => Assert.InRange(row.Elements("rect").Count(), 1, 200));
        foreach (string path in page.Descendants("path").Where(one => (string?)one.Attribute("class") == "line").Select(one => (string)one.Attribute("d")!))
        {
            Assert.InRange(path.Count(c => c is 'M' or 'L'), 1, 600);
        }

        Assert.InRange(html.Length, 100_000, 6_000_000);
    }

    [Fact]
    public void FaultyPathsAreRefusedInOneLineAndTheRunIsLeftAlone()
    {
        new SyntheticRun { Layers = 2, Steps = 3 }.WriteTo(_folder.File());
        byte[] before = File.ReadAllBytes(_folder.File());
        Assert.Contains("may not replace it", Assert.Throws<ReportException>(() => Report.Write(_folder.File(), _folder.File())).Message);
        Assert.Contains("is a folder", Assert.Throws<ReportException>(() => Report.Write(_folder.File(), _folder.Root)).Message);
        string lost = Path.Combine(_folder.Root, "none", "a.html");
        Assert.Contains("is missing; create it", Assert.Throws<ReportException>(() => Report.Write(_folder.File(), lost)).Message);
        Assert.Throws<RunFileException>(() => Report.Write(_folder.File("absent.run"), _folder.File("a.html")));
        Assert.Equal(before, File.ReadAllBytes(_folder.File()));
        Assert.Equal([_folder.File()], Directory.GetFiles(_folder.Root));
    }

    private string Render(SyntheticRun run)
    {
        run.WriteTo(_folder.File());
        return Report.Render(_folder.File());
    }

    /// <summary>The page is well-formed XML behind its document type, which holds for every SVG in it too.</summary>
    private static XDocument Parse(string html)
    {
        using XmlReader reader = XmlReader.Create(new StringReader(html), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader);
    }

    private static XElement WithClass(XDocument page, string element, string name) =>
        page.Descendants(element).First(one => ((string?)one.Attribute("class") ?? "").Split(' ').Contains(name));

    private static void RequireFiniteCoordinates(XDocument page)
    {
        foreach (XAttribute one in page.Descendants().Attributes().Where(one => one.Name.LocalName is "d" or "x" or "y" or "cx" or "cy" or "width" or "height" or "transform" or "viewBox"))
        {
            Assert.DoesNotContain("NaN", one.Value);
            Assert.DoesNotContain("Infinity", one.Value);
            Assert.DoesNotContain("∞", one.Value);
            Assert.DoesNotContain("E", one.Value, StringComparison.Ordinal);
        }
    }
}
