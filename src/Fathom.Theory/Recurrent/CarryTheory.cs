using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// A recurrent layer whose units carry something on behind a gate, as the cell of an LSTM or the state of a GRU:
/// s_t = f_t s_{t−1} + what is new. What f's pre-activation keeps over time is integrated at the nodes z of <see
/// cref="SharedGaussian"/>, so that E[Π f²] over many steps is right. Derived here.
/// </summary>
internal abstract class CarryTheory : RecurrentTheory
{
    protected CarryTheory(RecurrentSetting setting) : base(setting)
    {
        States = new StepMoments[Steps + 1];
        Keep = new CarryGate[Steps];
        Carried = new double[Steps + 1][];
        Reaches = new double[Steps + 1][];
    }

    public override StepMoments[] States { get; }

    /// <summary>The gate at each step.</summary>
    public CarryGate[] Keep { get; }

    /// <summary>E[s² | z] after each step; index 0 is the start.</summary>
    public double[][] Carried { get; }

    /// <summary>What a steady unit of news has added up to, given z.</summary>
    public double[][] Reaches { get; }

    public new RecurrentSetting Setting => base.Setting;

    public new int Steps => base.Steps;

    /// <summary>E[news_t news_s] of two steps: what they have in common over time, in units of <see cref="Reaches"/>.</summary>
    public abstract double Steady(int step);

    /// <summary>What a gradient by h_t is multiplied by on its way to s_t: its mean as two steps share it, and its mean square.</summary>
    public abstract (double Mean, double Square) Open(int step, int node);

    /// <summary>The same for the gradients of two samples.</summary>
    public abstract double OpenShare(int step);

    /// <summary>Σ over gates of E[δ_t δ_s].</summary>
    /// <param name="t">The later step, or the same.</param>
    /// <param name="s">The earlier step.</param>
    /// <param name="arriving">E[∂h_t ∂h_s] without what is carried.</param>
    /// <param name="carried">E[∂s_t ∂s_s | z].</param>
    /// <param name="before">E[s_{t−1} s_{s−1} | z].</param>
    /// <param name="after">E[s_t s_s].</param>
    /// <param name="past">E[Π f | z] over the steps s … t − 1.</param>
    public abstract Deltas Deltas(int t, int s, double arriving, ReadOnlySpan<double> carried, ReadOnlySpan<double> before, double after, ReadOnlySpan<double> past);

    /// <summary>Σ over gates of E[δ_a δ_b]/E[δ²] of two samples at one step, from that of what arrives and of what is carried.</summary>
    public abstract double SampleShare(int step, double arriving, double carried);

    /// <summary>E[f_a f_b] of two samples.</summary>
    public abstract double KeepShare(int step);

    /// <summary>E[h h'] from E[s s'], the earlier of the two states being that before step s.</summary>
    public abstract double StatePair(int s, double carried);

    /// <summary>Whether h is what is carried.</summary>
    public abstract bool StateIsCarried { get; }

    /// <summary>Whether no gradient goes from this step to the one before.</summary>
    public bool Cut(int step) => CutBefore(step);

    public override RecurrentBackward Backward(TimeGradient upstream, double batch) => new CarryGradient(this, upstream, batch).Run();
}
