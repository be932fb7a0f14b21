namespace Fathom.Diagnosis.Repair;

/// <summary>Why a candidate is not the cure yet.</summary>
internal enum Why
{
    /// <summary>It is no better than the control.</summary>
    NotBetter,

    /// <summary>It does well with one seed and not with another.</summary>
    Unstable,

    /// <summary>It is better, and falls short of what can be learnt.</summary>
    Slow,
}
