using System.Collections.Frozen;

namespace Fathom.Training.Schedules;

/// <summary>
/// The schedules that a model file may name: the one list to add a line to. The value has default settings, which a
/// file overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class ScheduleCatalog
{
    public static readonly FrozenDictionary<string, Schedule> ByKind = new Schedule[]
    {
        ConstantSchedule.Instance,
        new StepSchedule(),
        new MultiStepSchedule([]),
        new ExponentialSchedule(),
        new CosineSchedule(),
        new CosineRestartsSchedule(),
        new OneCycleSchedule(),
        new WarmupSchedule(),
        new PlateauSchedule(),
        new KerasExponentialDecay(),
        new KerasInverseTimeDecay(),
        new KerasPolynomialDecay(),
        new KerasPiecewiseConstantDecay([], [1]),
        new KerasCosineDecay(),
        new KerasCosineDecayRestarts(),
    }.ToFrozenDictionary(schedule => schedule.Kind);
}
