using System.CommandLine;

namespace Fathom.Corpus;

/// <summary><c>show</c>: one network's settings, label and findings.</summary>
internal static class ShowVerb
{
    public static Command Create()
    {
        Option<string> folder = CorpusOptions.Folder();
        Argument<int> number = new("NUMBER") { Description = "The network's number." };
        Command command = new("show", "What a network of the corpus is, what became of it, and what Fathom finds.") { number, folder };
        command.SetAction((parsed, cancellation) =>
        {
            CorpusCase network = Generator.Case(parsed.GetValue(number));
            Console.WriteLine($"{network.Name}: {network.Recipe}");
            Console.WriteLine($"fault: {network.Fault?.Name ?? "none put in"}");
            if (!CorpusOptions.ReadLabels(parsed.GetRequiredValue(folder)).TryGetValue(network.Number, out Label? label))
            {
                throw new CorpusException($"network {network.Number} has no label");
            }
            Console.WriteLine($"label: {label.ToLine()}");
            Examination examination = Examination.Of(network, label, cancellation);
            Console.WriteLine($"right causes: {string.Join(", ", examination.RightCauses.Order())}");
            foreach (Fathom.Diagnosis.Finding finding in examination.Findings)
            {
                Console.WriteLine($"{finding.Severity} {finding.Rule} {finding.Problem} ({finding.Cause}), step {finding.Step}, confidence {finding.Confidence}, {string.Join(' ', finding.Layers)}\n  {finding.Explanation}");
            }
            Console.WriteLine($"AutoTrainer: {examination.Gated}, without its gate: {examination.Ungated}, Debugger: {examination.Debugger}");
            return Task.FromResult(0);
        });
        return command;
    }
}
