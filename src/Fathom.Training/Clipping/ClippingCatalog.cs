using System.Collections.Frozen;

namespace Fathom.Training.Clipping;

/// <summary>
/// The clipping rules that a model file may name: the one list to add a line to. The value has default settings, which
/// a file overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class ClippingCatalog
{
    public static readonly FrozenDictionary<string, GradientClipping> ByKind = new GradientClipping[]
    {
        new ClipByGlobalNorm(),
        new ClipByTensorNorm(),
        new ClipByValue(),
        new ClipAdaptively(),
        new AutoClip(),
        new ZClip(),
        new AdaGc(),
    }.ToFrozenDictionary(clipping => clipping.Kind);
}
