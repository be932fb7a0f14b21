using System.CommandLine;
using System.Globalization;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Rules;

namespace Fathom.Corpus;

/// <summary><c>show</c>: one network's settings, label and findings.</summary>
internal static class ShowVerb
{
    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Argument<int> number = new("NUMBER") { Description = "The network's number." };
        Option<string?> keras = CorpusOptions.Keras();
        Command command = new("show", "What a network of the corpus is, what became of it, and what Fathom finds.") { number, folder, keras };
        command.SetAction((parsed, cancellation) =>
        {
            Subject network = parsed.GetValue(keras) is { } models ? KerasCorpus.Open(models).Subjects().FirstOrDefault(one => one.Label.Number == parsed.GetValue(number)) ?? throw Unlabelled(parsed.GetValue(number))
                : Drawn(parsed.GetValue(number), parsed.GetRequiredValue(folder));
            Console.WriteLine($"label: {network.Label.ToLine()}");
            Examination examination = Examination.Of(network, cancellation, Trace);
            Console.WriteLine($"right causes: {string.Join(", ", examination.Network.RightCauses.Order())}");
            foreach (Finding finding in examination.Findings)
            {
                Console.WriteLine($"{finding.Severity} {finding.Rule} {finding.Problem} ({finding.Cause}), step {finding.Step}, confidence {finding.Confidence}, {string.Join(' ', finding.Layers)}\n  {finding.Explanation}");
            }
            Console.WriteLine($"AutoTrainer: {examination.AutoTrainer.Cause ?? "–"}, without its gate: {examination.Ungated.Cause ?? "–"}, Debugger: {(examination.Debugger.Called ? "sick" : "–")}");
            return Task.FromResult(0);
        });
        return command;
    }

    private static Subject Drawn(int number, string folder)
    {
        CorpusCase network = Generator.Case(number);
        Console.WriteLine($"{network.Name}: {network.Recipe}");
        Console.WriteLine($"fault: {network.Fault?.Name ?? "none put in"}");
        return CorpusOptions.ReadLabels(folder).TryGetValue(number, out Label? label) ? Subject.Of(network, label) : throw Unlabelled(number);
    }

    private static CorpusException Unlabelled(int number) => new($"network {number} has no label");

    /// <summary>What the monitor has measured, at twelve places of the run.</summary>
    private static void Trace(WatchedRun run)
    {
        long every = Math.Max(1, run.Session.TotalSteps / 12);
        if (run.Session.NextStep / every == Math.Max(0, run.Session.NextStep - run.Session.StepsPerEpoch) / every)
        {
            return;
        }
        Observation seen = run.Monitor.Observation;
        static string Row(IEnumerable<double> numbers) => string.Join(' ', numbers.Select(number => number.ToString("0.##", CultureInfo.InvariantCulture)));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {run.Session.NextStep}: loss {seen.Loss:0.####} first {seen.FirstLoss:0.####} constant {seen.ConstantLoss:0.####} gradient {seen.Step.GradientNorm:0.##E+0}"));
        Console.WriteLine($"   log gradient {Row(seen.Layers.Select(layer => layer.LogGradient))}");
        Console.WriteLine($"   log update/w {Row(seen.Layers.Select(layer => layer.LogRelativeUpdate))}");
        Console.WriteLine($"   zeros        {Row(seen.Layers.Select(layer => layer.Zeros))}");
        Console.WriteLine($"   saturated    {Row(seen.Layers.Select(layer => layer.Saturated))}");
        Console.WriteLine($"   weights      {Row(seen.Layers.Select(layer => layer.WeightNorm))}");
        Console.WriteLine($"   would say    {string.Join(", ", RuleCatalog.All.Where(rule => !rule.EveryStep).Select(rule => rule.Inspect(seen)).OfType<Finding>().Select(finding => $"{finding.Severity} {finding.Rule} {finding.Cause}"))}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"   of losses    {seen.Losses.Count}, since half {seen.Losses.Since(0.5):0.###}, least {seen.Losses.Least:0.####}"));
        foreach (StateTrace state in seen.RecurrentLayers)
        {
            Console.WriteLine($"   over time    {Row(state.MeanLogGradients)}");
        }
    }
}
