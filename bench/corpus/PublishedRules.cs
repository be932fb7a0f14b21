using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Corpus;

/// <summary>What a published rule says of a network: the first problem that it names, and when.</summary>
/// <param name="Cause">One of <see cref="Causes"/>; null as long as it says nothing.</param>
/// <param name="Share">Share of the run that was done.</param>
internal readonly record struct Verdict(string? Cause, double Share)
{
    public bool Called => Cause is not null;

    public Verdict Or(string cause, double share) => Called || cause == Causes.None ? this : new Verdict(cause, share);
}

/// <summary>
/// What others' published rules say of the same run, asked after each epoch; a network is called sick if they ever do.
/// AutoTrainer (Zhang et al. 2021): the weights' gradient of the first layer below 1e-3 of the last one's and below 1e-4
/// (vanishing); over 70 times it, or not finite (exploding); 70 % or more of a ReLU layer's gradient exactly 0 (dying
/// ReLU); all of it only while accuracy is below 0.6. SageMaker Debugger's built-in rules with their defaults: mean |g|
/// below 1e-7 (vanishing), a tensor that is not finite, half of a ReLU layer dead, update ratio above 10 or below 1e-8.
/// mean |g| is taken as √(2/π) of the root mean square.
/// </summary>
internal sealed class PublishedRules
{
    private readonly WatchedRun run;
    private readonly int[] weightGradients, reluGradients, weights, updates;

    public PublishedRules(WatchedRun run)
    {
        this.run = run;
        IReadOnlyList<Probe> probes = run.Session.Probes;
        int[] Of(Func<Probe, bool> wanted) => [.. Enumerable.Range(0, probes.Count).Where(index => wanted(probes[index]))];
        weightGradients = Of(probe => probe.Kind == ProbeKind.ParameterGradient && IsWeight(probe.Node));
        weights = Of(probe => probe.Kind == ProbeKind.Parameter && IsWeight(probe.Node));
        updates = Of(probe => probe.Kind == ProbeKind.ParameterUpdate && IsWeight(probe.Node));
        HashSet<string> read = [.. run.Session.Model.Graph.Nodes.Where(node => node.Op is Relu).Select(node => node.Inputs[0].Node.Name)];
        reluGradients = Of(probe => probe.Kind == ProbeKind.ActivationGradient && read.Contains(probe.Node.Name));
    }

    /// <summary>AutoTrainer with the accuracy gate that it is published with.</summary>
    public Verdict Gated { get; private set; }

    /// <summary>The same without the gate.</summary>
    public Verdict Ungated { get; private set; }

    /// <summary>SageMaker Debugger.</summary>
    public Verdict Debugger { get; private set; }

    /// <summary>Looks at the last step's statistics.</summary>
    /// <param name="score">Training accuracy so far, or R².</param>
    public void Look(double score)
    {
        ReadOnlySpan<TensorStatistics> statistics = run.Session.Watch!.Statistics;
        if (weightGradients.Length == 0)
        {
            return;
        }
        double first = statistics[weightGradients[0]].L2, last = statistics[weightGradients[^1]].L2;
        bool finite = double.IsFinite(first) && double.IsFinite(last);
        bool dying = reluGradients.Any(index => run.Session.Watch.Statistics[index] is var tensor && tensor.Zeros >= 0.7 * tensor.Count);
        string cause = !finite || first > 70 * last ? Causes.Exploding
            : first < 1e-3 * last && first < 1e-4 ? Causes.Vanishing
            : dying ? Causes.DeadRelu : Causes.None;
        double share = (double)run.Session.NextStep / run.Session.TotalSteps;
        Ungated = Ungated.Or(cause, share);
        Gated = Gated.Or(score >= 0.6 ? Causes.None : cause, share);
        Debugger = !Debugger.Called && (!finite || Judge(statistics)) ? new Verdict(Causes.None, share) : Debugger; // it names no cause
    }

    private bool Judge(ReadOnlySpan<TensorStatistics> statistics)
    {
        foreach (int index in weightGradients)
        {
            ref readonly TensorStatistics gradient = ref statistics[index];
            if (!(gradient.L2 / Math.Sqrt(gradient.Count) * Math.Sqrt(2 / Math.PI) >= 1e-7))
            {
                return true;
            }
        }
        for (int i = 0; i < Math.Min(weights.Length, updates.Length); i++)
        {
            double ratio = statistics[updates[i]].L2 / statistics[weights[i]].L2;
            if (!(ratio is >= 1e-8 and <= 10))
            {
                return true;
            }
        }
        return run.Monitor.Observation.Units().Any(layer => layer.Layer.Op is Relu && layer.Dead > 0.5 * layer.Units);
    }

    private static bool IsWeight(Node node) => node.Outputs[0].Shape.Rank >= 2;
}
