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

/// <summary>Adds up cost while runs go on side by side.</summary>
internal sealed class CostBook
{
    private readonly Lock gate = new();
    private SearchCost sum = SearchCost.None;

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
