using System.Collections.Frozen;

namespace Fathom.Training.Losses;

/// <summary>
/// The losses that a model file may name: the one list to add a line to. The value has default settings, which a file
/// overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class LossCatalog
{
    public static readonly FrozenDictionary<string, Loss> ByKind = new Loss[]
    {
        new CrossEntropy(),
        new BinaryCrossEntropy(),
        new MeanSquaredError(),
        new MeanAbsoluteError(),
        new Huber(),
        new Hinge(),
        new Margin(),
        new NegativeLogLikelihood(),
        new KullbackLeibler(),
    }.ToFrozenDictionary(loss => loss.Kind);
}
