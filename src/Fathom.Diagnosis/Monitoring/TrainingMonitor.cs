using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Rules;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Watches a session step by step: keeps smoothed measurements per layer, lets the rules speak, and opens a finding when
/// a rule has spoken often enough in a row; withdraws it when the rule falls silent for long.
/// </summary>
public sealed class TrainingMonitor
{
    /// <summary>Inspections without a word after which an open finding is withdrawn.</summary>
    private const int SilenceToWithdraw = 10;

    /// <summary>Inspections in a row at which a rule must name the same new severity and cause before an open finding takes them.</summary>
    private const int PersistenceOfChange = 3;

    /// <summary>Least number of steps between two that are measured with another forward pass: less than 2 % more work.</summary>
    private const int StepsBetweenMeasurements = 20;

    private readonly TrainingSession session;
    private readonly LayerTrace[] layers;
    private readonly Rule[] rules = [.. RuleCatalog.All];
    private readonly Voice[] voices;
    private readonly Finding?[] open;
    private readonly Standing standing;
    private readonly long interval, spacing;

    public TrainingMonitor(TrainingSession session, PropagationPrediction? prediction = null)
    {
        this.session = session;
        if (session.Watch is null)
        {
            throw new TrainingException("a monitor needs a session that measures its tensors; start it with watch");
        }
        Graph network = session.Model.Graph;
        Dictionary<Node, int> depths = ProbeTable.Depths(network);
        LayerReaders readers = new(network);
        layers = [.. WeightLayers(network).OrderBy(layer => depths[layer]).Select(layer => new LayerTrace(layer, depths[layer], session.Probes, ActivationOf(layer, readers)))];
        (voices, open) = (new Voice[rules.Length], new Finding?[rules.Length]);
        Observation = new Observation(session, prediction, layers);
        // About 200 looks in a run, so that a network that is dead from the start is called within 3 % of its budget.
        interval = Math.Max(1, session.TotalSteps / 200);
        standing = new Standing(rules.Length, session.TotalSteps, interval);
        spacing = (StepsBetweenMeasurements + interval - 1) / interval * interval;
    }

    public Observation Observation { get; }

    /// <summary>Steps from one inspection to the next: a step is inspected if this divides its number.</summary>
    public long Interval => interval;

    /// <summary>Steps for which an error must stand without interruption before <see cref="Stood"/> is raised: 3 % of the run, five inspections at least, and 20 steps in a short run, up to 5 % of it.</summary>
    public long StepsToStand => Standing.StepsNeeded(session.TotalSteps, interval);

    /// <summary>Step since which some rule has spoken of an error at each inspection; −1 if none did at the last one.</summary>
    public long InErrorSince => standing.Since;

    /// <summary>Whether a rule's error stands now, and <see cref="Stood"/> has said so.</summary>
    /// <param name="rule">The rule's identifier.</param>
    public bool HasStood(string rule) => Array.FindIndex(rules, one => one.Id == rule) is >= 0 and int index && standing.IsTold(index);

    /// <summary>Findings that hold now, in the order in which they were made.</summary>
    public IEnumerable<Finding> Findings => open.OfType<Finding>().OrderBy(finding => finding.Step);

    /// <summary>Raised when a finding becomes certain.</summary>
    public event Action<Finding>? Found;

    /// <summary>Raised when an open finding has got another severity or cause, with the step; the finding keeps its own.</summary>
    public event Action<Finding, long>? Changed;

    /// <summary>Raised when a finding no longer holds, with the step.</summary>
    public event Action<Finding, long>? Withdrawn;

    /// <summary>
    /// Raised when a rule speaks of an error and the run has been in error without interruption for <see cref="StepsToStand"/>, at once if nothing that
    /// training does can end it, with the step: then it is safe to act on it.
    /// </summary>
    public event Action<Finding, long>? Stood;

    /// <summary>Nodes that own a weight matrix or kernel, in graph order.</summary>
    public static IEnumerable<Node> WeightLayers(Graph network) =>
        network.Nodes.Where(node => node.Op is not Source && node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable));

    /// <summary>The function that reads a layer; of a plain recurrent layer, whose output is one, the layer itself.</summary>
    private static Node? ActivationOf(Node layer, LayerReaders readers) => layer.Op is RecurrentLayer { Saturation: not null } ? layer : readers.ActivationAfter(layer);

    /// <summary>Takes in one step; call it after each <see cref="TrainingSession.Step"/>. Allocates nothing between inspections while all is finite.</summary>
    public void Observe(in StepResult step)
    {
        Observation.Step = step;
        if (double.IsNaN(Observation.FirstLoss))
        {
            Observation.FirstLoss = step.Loss;
        }
        Observation.TakeStep();
        Hear(everyStep: true);
        Observation.Loss = double.IsNaN(Observation.Loss) ? step.Loss : Observation.Loss + 0.1 * (step.Loss - Observation.Loss);
        LayerJob job = new() { Monitor = this };
        session.Pool.Run(ref job, (layers.Length + LayerJob.Length - 1) / LayerJob.Length);
        foreach (StateTrace layer in Observation.States)
        {
            layer.Add(session.Watch!.Statistics);
        }
        Observation.Ranges.Add(session.Watch!.Statistics, step.Loss);
        if (step.Step % interval == 0)
        {
            if (Interior.IsDue(Observation.Losses.Count))
            {
                Observation.Interior.Look(step.Step);
            }
            Observation.Losses.Add(Observation.Loss);
            if (step.Step % spacing == 0)
            {
                Observation.MeasureStep();
            }
            Observation.Open = [.. Findings];
            Hear(everyStep: false);
            foreach (int rule in standing.Judge(step.Step))
            {
                Stood?.Invoke(open[rule]!, step.Step);
            }
        }
        KeepWeightsInTime();
    }

    /// <summary>Takes a step's statistics into the traces of some layers, which know nothing of each other.</summary>
    private readonly struct LayerJob : IParallelJob
    {
        public const int Length = 32;

        public required TrainingMonitor Monitor { get; init; }

        public void Execute(int part, int worker)
        {
            ReadOnlySpan<TensorStatistics> statistics = Monitor.session.Watch!.Statistics;
            for (int i = part * Length; i < Math.Min(Monitor.layers.Length, (part + 1) * Length); i++)
            {
                Monitor.layers[i].Add(statistics);
            }
        }
    }

    /// <summary>The next step will be measured: the weights before it are needed.</summary>
    private void KeepWeightsInTime()
    {
        if (session.NextStep % spacing == 0)
        {
            session.KeepWeights();
        }
    }

    /// <summary>Takes in how an epoch ended; call it after the epoch's last <see cref="Observe"/>.</summary>
    public void ObserveEpoch(Evaluation validation) => Observation.Epochs.EndEpoch(validation);

    /// <summary>
    /// Everything that decides what the monitor says next, as JSON: smoothed measurements, open findings and how often
    /// each rule has spoken. Together with the session's checkpoint it makes a resumed run find what the whole one finds.
    /// </summary>
    public string Capture() => new JsonObject
    {
        ["losses"] = Numbers([Observation.FirstLoss, Observation.Loss]),
        ["history"] = Numbers(Observation.Losses.Capture()),
        ["run"] = new JsonObject(Observation.CaptureRun().Select(part => KeyValuePair.Create(part.Name, (JsonNode?)Numbers(part.Numbers)))),
        ["layers"] = new JsonObject(layers.Select(layer => KeyValuePair.Create(layer.Layer.Name, (JsonNode?)Numbers(layer.Capture())))),
        ["states"] = new JsonObject(Observation.RecurrentLayers.Select(layer => KeyValuePair.Create(layer.Layer.Name, (JsonNode?)Numbers(layer.Capture())))),
        ["interior"] = new JsonObject(Observation.Interior.Capture().Select(numbers => KeyValuePair.Create(numbers.Key, (JsonNode?)Numbers(numbers.Value)))),
        ["ranges"] = Numbers(Observation.Ranges.Capture()),
        ["standing"] = Numbers([standing.Since, .. Enumerable.Range(0, rules.Length).Where(standing.IsTold).Select(rule => (double)int.Parse(rules[rule].Id.AsSpan(3), CultureInfo.InvariantCulture))]),
        ["rules"] = new JsonObject(rules.Select((rule, i) => KeyValuePair.Create(rule.Id, (JsonNode?)new JsonObject
        {
            ["voice"] = Numbers([voices[i].Spoken, voices[i].Silent, voices[i].Otherwise]),
            ["open"] = open[i] is { } finding ? FindingJson.ToNode(finding) : null,
        }))),
    }.ToJsonString();

    /// <summary>Goes on from what <see cref="Capture"/> gave. Raises no event: what is open has been told before.</summary>
    /// <exception cref="TrainingException">It is no such state, or that of another network.</exception>
    public void Restore(string state)
    {
        try
        {
            JsonObject root = JsonNode.Parse(state)!.AsObject();
            double[] losses = Numbers(root["losses"], 2);
            (Observation.FirstLoss, Observation.Loss) = (losses[0], losses[1]);
            Observation.Losses.Restore(Numbers(root["history"]));
            foreach ((string name, JsonNode? part) in root["run"]?.AsObject() ?? [])
            {
                if (!Observation.RestoreRun(name, Numbers(part)))
                {
                    throw new FormatException($"{name} lacks numbers");
                }
            }
            foreach (LayerTrace layer in layers)
            {
                if (!layer.Restore(Numbers(root["layers"]![layer.Layer.Name])))
                {
                    throw new FormatException($"{layer.Layer.Name} lacks numbers");
                }
            }
            foreach (StateTrace layer in Observation.States)
            {
                if (!layer.Restore(Numbers(root["states"]![layer.Layer.Name])))
                {
                    throw new FormatException($"{layer.Layer.Name} lacks time steps");
                }
            }
            Observation.Interior.Restore(name => root["interior"]?[name] is { } numbers ? Numbers(numbers) : null);
            KeepWeightsInTime();
            // Written since FTH065: an older state begins without a trend.
            if (root["ranges"] is { } ranges && !Observation.Ranges.Restore(Numbers(ranges)))
            {
                throw new FormatException("the tensors' ranges lack numbers");
            }
            for (int i = 0; i < rules.Length; i++)
            {
                // A rule that is newer than the state begins without a past.
                JsonNode? rule = root["rules"]![rules[i].Id];
                double[] voice = rule is null ? [0, 0, 0] : Numbers(rule["voice"], 3);
                voices[i] = new Voice((int)voice[0], (int)voice[1], (int)voice[2]);
                open[i] = rule?["open"] is { } finding ? FindingJson.Read(finding) : null;
            }
            // An older state does not say since when: then it is from here on.
            double[] stood = root["standing"] is { } since ? Numbers(since) : [-1];
            standing.Restore((long)stood[0], stood.Skip(1).Select(number => Array.FindIndex(rules, rule => rule.Id == FormattableString.Invariant($"FTH{number:000}"))).Where(index => index >= 0));
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException or NullReferenceException)
        {
            throw new TrainingException($"the monitor's state is damaged or belongs to another network ({error.Message})");
        }
    }

    private static JsonArray Numbers(IEnumerable<double> numbers) => new([.. numbers.Select(FindingJson.Number)]);

    private static double[] Numbers(JsonNode? node, int count = -1)
    {
        double[] numbers = [.. node!.AsArray().Select(FindingJson.Number)];
        return count < 0 || numbers.Length == count ? numbers : throw new FormatException($"{numbers.Length} numbers where {count} belong");
    }

    private void Hear(bool everyStep)
    {
        for (int i = 0; i < rules.Length; i++)
        {
            if (rules[i].EveryStep == everyStep)
            {
                Hear(i);
            }
        }
    }

    private void Hear(int rule)
    {
        ref Voice voice = ref voices[rule];
        if (rules[rule].Inspect(Observation) is { } finding)
        {
            (voice.Spoken, voice.Silent) = (voice.Spoken + 1, 0);
            Take(rule, ref voice, Calibration.Apply(finding));
            if (standing.Hear(rule, finding.Severity == Severity.Error && open[rule] is { Severity: Severity.Error } error ? error : null))
            {
                Stood?.Invoke(open[rule]!, Observation.Step.Step);
            }
            return;
        }
        standing.Hear(rule, null);
        (voice.Spoken, voice.Silent, voice.Otherwise) = (0, voice.Silent + 1, 0);
        if (voice.Silent >= SilenceToWithdraw && open[rule] is { } over)
        {
            open[rule] = null;
            Withdrawn?.Invoke(over, Observation.Step.Step);
        }
    }

    private void Take(int rule, ref Voice voice, Finding finding)
    {
        if (open[rule] is not { } first)
        {
            if (voice.Spoken >= rules[rule].Persistence && IsDue(rules[rule], finding))
            {
                open[rule] = finding;
                Found?.Invoke(finding);
            }
            return;
        }
        // The newest measurements, but the step at which it first was certain.
        finding = finding with { Step = first.Step };
        if ((finding.Severity, finding.Cause) == (first.Severity, first.Cause))
        {
            voice.Otherwise = 0;
            open[rule] = finding;
        }
        else if (++voice.Otherwise >= PersistenceOfChange && IsDue(rules[rule], finding))
        {
            voice.Otherwise = 0;
            open[rule] = finding;
            Changed?.Invoke(finding, Observation.Step.Step);
        }
    }

    /// <summary>Whether the run is long enough under way for the finding.</summary>
    private bool IsDue(Rule rule, Finding finding) => finding.Severity < Severity.Error || finding.IsFinal || Observation.Progress >= rule.Beginning;

    /// <summary>How often in a row a rule has spoken, kept silent, or named another severity or cause than its open finding.</summary>
    private record struct Voice(int Spoken, int Silent, int Otherwise);
}
