using System.Collections.Frozen;

namespace Fathom.Training.Optimizers;

/// <summary>
/// The optimizers that a model file may name: the one list to add a line to. The value has default settings, which a
/// file overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class OptimizerCatalog
{
    public static readonly FrozenDictionary<string, Optimizer> ByKind = new Optimizer[]
    {
        new Sgd(),
        new Adam(),
        new AdamW(),
        new RmsProp(),
        new Adagrad(),
        new Adamax(),
        new Nadam(),
        new Radam(),
        new Adadelta(),
        new KerasSgd(),
        new KerasAdam(),
        new KerasRmsProp(),
        new KerasAdagrad(),
        new StableAdamW(),
        new Lion(),
        new Lars(),
        new Lamb(),
        new KerasAdamW(),
        new KerasAdamax(),
        new KerasNadam(),
        new KerasAdadelta(),
        new KerasLion(),
    }.ToFrozenDictionary(optimizer => optimizer.Kind);
}
