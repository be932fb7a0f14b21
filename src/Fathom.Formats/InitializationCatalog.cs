using System.Collections.Frozen;
using Fathom.Graphs.Initialization;
using Fathom.Theory;
using Fathom.Training.Initialization;

namespace Fathom.Formats;

/// <summary>The rules for starting a whole network that a model file may name: the one list to add a line to.</summary>
public static class InitializationCatalog
{
    public static readonly FrozenDictionary<string, InitializationRule> ByKind = new InitializationRule[]
    {
        new CriticalInitialization(),
        new Lsuv(),
        new Fixup(),
        new DeepNorm(),
    }.ToFrozenDictionary(rule => rule.Kind);
}
