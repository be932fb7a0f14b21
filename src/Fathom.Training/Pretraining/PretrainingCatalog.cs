using System.Collections.Frozen;

namespace Fathom.Training.Pretraining;

/// <summary>The pre-training rules that a model file may name: the one list to add a line to.</summary>
public static class PretrainingCatalog
{
    public static readonly FrozenDictionary<string, PretrainingRule> ByKind = new PretrainingRule[]
    {
        new RbmPretraining(),
        new AutoencoderPretraining(),
    }.ToFrozenDictionary(rule => rule.Kind);
}
