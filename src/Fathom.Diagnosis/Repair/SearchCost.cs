using Fathom.Diagnosis.Repair.Journal;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// What an examination took, in units of one full training run of the network as given: steps, each weighted by the work
/// that it takes. A step of a network with batch normalization counts more than one without.
/// </summary>
/// <param name="Control">The network as given, with its own seed.</param>
/// <param name="Trials">Candidates and the ablation.</param>
/// <param name="Proof">Control and cure over further seeds.</param>
public sealed record SearchCost(double Control, double Trials, double Proof)
{
    public static SearchCost None { get; } = new(0, 0, 0);

    public double Total => Control + Trials + Proof;
}

/// <summary>
/// Adds up cost while runs go on side by side. What was taken over from an interrupted examination costs what it cost then, so
/// that each decision that depends on the cost is the same.
/// </summary>
/// <param name="memo">Where results are taken from and kept.</param>
internal sealed class CostBook(IResultMemo memo)
{
    private readonly Lock gate = new();
    private SearchCost sum = SearchCost.None;
    private double computed;
    private double repeated;

    public IResultMemo Memo => memo;

    /// <summary>Work that was done here, in full runs.</summary>
    public double Computed
    {
        get
        {
            lock (gate)
            {
                return computed;
            }
        }
    }

    /// <summary>The part of it that only brought runs back to where their record ends; no part of the cost.</summary>
    public double Repeated
    {
        get
        {
            lock (gate)
            {
                return repeated;
            }
        }
    }

    public SearchCost Sum
    {
        get
        {
            lock (gate)
            {
                return sum;
            }
        }
    }

    /// <summary>Work was done.</summary>
    public void Compute(double runs, bool again)
    {
        lock (gate)
        {
            computed += runs;
            repeated += again ? runs : 0;
        }
    }

    public void Add(DoctorStage stage, double runs)
    {
        lock (gate)
        {
            sum = stage switch
            {
                DoctorStage.Control => sum with { Control = sum.Control + runs },
                DoctorStage.Confirmation => sum with { Proof = sum.Proof + runs },
                _ => sum with { Trials = sum.Trials + runs },
            };
        }
    }
}
