using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Mean-field theory of a recurrent layer over time: units are independent, and each step's pre-activations are Gaussian
/// with the covariances over time and samples that the weights, the same at every step, give them (Chen, Pennington and
/// Schoenholz 2018; Yang 2019, tensor programs). Going back, Wᵀδ is taken as independent of what came forward.
/// </summary>
internal abstract class RecurrentTheory(RecurrentSetting setting)
{
    protected RecurrentSetting Setting { get; } = setting;

    protected int Steps => Setting.Steps;

    /// <summary>Moments of h after each step; index 0 is the state at the start.</summary>
    public abstract StepMoments[] States { get; }

    /// <summary>Mean square of the cell after each step; null if the layer has none.</summary>
    public virtual double[]? Cells => null;

    /// <summary>Mean of h over all units and steps.</summary>
    public virtual double Mean => 0;

    /// <summary>Fraction of itself that a unit keeps from step to step, E[f] of an LSTM and E[z] of a GRU at the last step; 0 without a carry.</summary>
    public virtual double Carry => 0;

    /// <summary>The theory of a node; null if it has none for these weights.</summary>
    public static RecurrentTheory? Of(Node node, Moments[] inputs) => RecurrentSetting.Of(node, inputs) is not { } setting ? null : setting.Layer switch
    {
        Rnn rnn => new RnnTheory(setting, rnn),
        Lstm => new LstmTheory(setting),
        Gru gru => new GruTheory(setting, gru),
        _ => null,
    };

    /// <summary>Carries a gradient back through time.</summary>
    /// <param name="upstream">What arrives.</param>
    /// <param name="batch">Samples over which the parameters' gradients are summed.</param>
    public abstract RecurrentBackward Backward(TimeGradient upstream, double batch);

    /// <summary>Whether no gradient goes from this step (0, 1, …) to the state before it.</summary>
    protected bool CutBefore(int step) => Setting.Layer.Truncate is > 0 and int truncate && step > 0 && step % truncate == 0;
}

/// <summary>Σ over the gates of a product of gradients by their pre-activations.</summary>
/// <param name="Input">By what x enters, for weight_ih and the gradient by x.</param>
/// <param name="State">By what h enters; less where a reset gate stands between.</param>
internal readonly record struct Deltas(double Input, double State)
{
    public static Deltas operator *(double factor, Deltas deltas) => new(factor * deltas.Input, factor * deltas.State);
}

/// <summary>
/// Sums of E[g²] of a layer's parameters. A weight's gradient is Σ δ·x over samples and steps, so that E[g²] is the sum over
/// all pairs of E[δδ']·E[xx'].
/// </summary>
internal struct ParameterSums(RecurrentSetting setting, double batch)
{
    private double weightIh, weightHh, biasIh, biasHh;

    /// <summary>A step with itself.</summary>
    /// <param name="own">E[δ²].</param>
    /// <param name="samples">E[δ_a δ_b]/E[δ²] of two samples.</param>
    /// <param name="step">The step.</param>
    /// <param name="state">Moments of h before the step.</param>
    public void AddStep(Deltas own, double samples, int step, StepMoments state) =>
        Add(own, samples, setting.Shares[step] * setting.Input.Square, setting.Shares[step] * setting.Input.OverSamples, state.Square, state.OverSamples);

    /// <summary>Two different steps, in both orders.</summary>
    /// <param name="own">E[δ_t δ_s].</param>
    /// <param name="samples">Its share in two samples.</param>
    /// <param name="step">The earlier one.</param>
    /// <param name="state">E[h h'] of the states before, as <see cref="StepMoments.OverTime"/>, and of two samples.</param>
    public void AddPair(Deltas own, double samples, int step, StepMoments state) =>
        Add(2 * own, samples, setting.Shares[step] * setting.Input.OverTime, setting.Shares[step] * setting.Input.OverBoth, state.OverTime, state.OverBoth);

    /// <summary>Mean squares per element of weight_ih, weight_hh, bias_ih, bias_hh.</summary>
    public readonly double[] Result => [.. new[] { weightIh, weightHh, biasIh, biasHh }.Select(PerGate)];

    private readonly double PerGate(double sum) => sum / setting.Layer.Gates;

    private void Add(Deltas own, double samples, double x, double xSamples, double h, double hSamples)
    {
        weightIh += batch * own.Input * (x + (batch - 1) * samples * xSamples);
        weightHh += batch * own.State * (h + (batch - 1) * samples * hSamples);
        biasIh += batch * own.Input * (1 + (batch - 1) * samples);
        biasHh += batch * (setting.Layer is Gru { ResetAfter: true } ? own.State : own.Input) * (1 + (batch - 1) * samples);
    }
}
