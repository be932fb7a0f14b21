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

    private readonly TrainingSession session;
    private readonly LayerTrace[] layers;
    private readonly Dictionary<Rule, (int Spoken, int Silent)> voices = [];
    private readonly Dictionary<Rule, Finding> open = [];
    private readonly long interval;

    public TrainingMonitor(TrainingSession session, PropagationPrediction? prediction = null)
    {
        this.session = session;
        if (session.Watch is null)
        {
            throw new TrainingException("a monitor needs a session that measures its tensors; start it with watch");
        }
        Dictionary<Node, int> depths = ProbeTable.Depths(session.Model.Graph);
        layers = [.. WeightLayers(session.Model.Graph).Select(layer => new LayerTrace(layer, depths[layer], session.Probes, ReaderOf(session.Model.Graph, layer)))];
        Observation = new Observation(session, prediction, layers);
        // About 200 looks in a run, so that a network that is dead from the start is called within 3 % of its budget.
        interval = Math.Max(1, session.TotalSteps / 200);
    }

    public Observation Observation { get; }

    /// <summary>Findings that hold now, in the order in which they were made.</summary>
    public IEnumerable<Finding> Findings => open.Values.OrderBy(finding => finding.Step);

    /// <summary>Raised when a finding becomes certain.</summary>
    public event Action<Finding>? Found;

    /// <summary>Raised when a finding no longer holds, with the step.</summary>
    public event Action<Finding, long>? Withdrawn;

    /// <summary>Nodes that own a weight matrix or kernel, in graph order.</summary>
    public static IEnumerable<Node> WeightLayers(Graph network) =>
        network.Nodes.Where(node => node.Op is not Source && node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable));

    /// <summary>Takes in one step; call it after each <see cref="TrainingSession.Step"/>.</summary>
    public void Observe(in StepResult step)
    {
        Observation.Step = step;
        if (double.IsNaN(Observation.FirstLoss))
        {
            Observation.FirstLoss = step.Loss;
        }
        Observation.Loss = double.IsNaN(Observation.Loss) ? step.Loss : Observation.Loss + 0.1 * (step.Loss - Observation.Loss);
        Observation.BestLoss = Math.Min(Observation.BestLoss, Observation.Loss);
        foreach (LayerTrace layer in layers)
        {
            layer.Add(session.Watch!.Statistics);
        }
        bool inspect = step.Step % interval == 0;
        foreach (Rule rule in RuleCatalog.All)
        {
            if (inspect || rule.EveryStep)
            {
                Hear(rule);
            }
        }
    }

    private void Hear(Rule rule)
    {
        (int spoken, int silent) = voices.GetValueOrDefault(rule);
        if (rule.Inspect(Observation) is { } finding)
        {
            (spoken, silent) = (spoken + 1, 0);
            if (spoken >= rule.Persistence && !open.ContainsKey(rule))
            {
                open.Add(rule, finding);
                Found?.Invoke(finding);
            }
            else if (open.TryGetValue(rule, out Finding? first))
            {
                // The newest measurements, but the step at which it first was certain.
                open[rule] = finding with { Step = first.Step };
            }
        }
        else
        {
            (spoken, silent) = (0, silent + 1);
            if (silent >= SilenceToWithdraw && open.Remove(rule, out Finding? over))
            {
                Withdrawn?.Invoke(over, Observation.Step.Step);
            }
        }
        voices[rule] = (spoken, silent);
    }

    /// <summary>The elementwise function that reads a layer, through normalisation if there is one between.</summary>
    private static Node? ReaderOf(Graph network, Node layer)
    {
        Node current = layer;
        for (int hops = 0; hops < 3; hops++)
        {
            Node[] readers = [.. network.Nodes.Where(node => node.Inputs.Any(input => input.Node == current))];
            if (readers.FirstOrDefault(node => node.Op is Activation) is { } activation)
            {
                return activation;
            }
            if (readers.Length != 1)
            {
                return null;
            }
            current = readers[0];
        }
        return null;
    }
}
