using Fathom.Training;

namespace Fathom.Diagnosis;

/// <summary>What a <see cref="FindingAction"/> has done.</summary>
/// <param name="Finding">The finding that called for it.</param>
/// <param name="Step">The step after which it was taken; −1 for before training.</param>
/// <param name="To">The step that comes next now: after a rollback that of the healthy state.</param>
/// <param name="RolledBack">Whether the run went back.</param>
/// <param name="Proven">After a rollback, whether the state has stood the test of <see cref="Monitoring.RunSnapshots"/>; false if it is the one that the run began with.</param>
public sealed record ActionTaken(Finding Finding, long Step, long To, bool RolledBack, bool Proven);
