using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Settings that several optimizers have, each under its own name.</summary>
internal static class OptimizerParts
{
    /// <summary>Whether the optimizer came from a Keras file, whose rules differ in detail; another one then is Keras' too.</summary>
    public static bool IsKeras(Optimizer optimizer) => optimizer.Kind.StartsWith("keras_", StringComparison.Ordinal);

    /// <summary>Its name in sentences: Keras' Adam is Adam too.</summary>
    public static string NameOf(Optimizer optimizer) => IsKeras(optimizer) ? optimizer.Kind["keras_".Length..] : optimizer.Kind;

    /// <summary>Whether a step is proportional to the gradient's size.</summary>
    public static bool FollowsGradient(Optimizer optimizer) => optimizer is Sgd or KerasSgd;

    /// <summary>Share of the past in SGD's velocity; 0 for others.</summary>
    public static double Momentum(Optimizer optimizer) => optimizer switch
    {
        Sgd sgd => sgd.Momentum,
        KerasSgd sgd => sgd.Momentum,
        _ => 0,
    };

    /// <summary>
    /// The rate with which most networks train: the default of the optimizer's own, and ten times as much for SGD without
    /// momentum, whose steps momentum of 0.9 would make that long.
    /// </summary>
    public static double UsualRate(Optimizer optimizer)
    {
        double rate = OptimizerCatalog.ByKind.TryGetValue(optimizer.Kind, out Optimizer? defaults) ? defaults.LearningRate : 1e-3;
        return FollowsGradient(optimizer) && Momentum(optimizer) == 0 ? 10 * rate : rate;
    }

    /// <summary>Decay of the weights that the optimizer itself does; 0 for none.</summary>
    public static double WeightDecay(Optimizer optimizer) => optimizer switch
    {
        Sgd o => o.WeightDecay,
        Adam o => o.WeightDecay,
        AdamW o => o.WeightDecay,
        RmsProp o => o.WeightDecay,
        Adagrad o => o.WeightDecay,
        Adamax o => o.WeightDecay,
        Nadam o => o.WeightDecay,
        Radam o => o.WeightDecay,
        Adadelta o => o.WeightDecay,
        StableAdamW o => o.WeightDecay,
        Lion o => o.WeightDecay,
        Lars o => o.WeightDecay,
        Lamb o => o.WeightDecay,
        KerasSgd o => o.WeightDecay,
        KerasAdam o => o.WeightDecay,
        KerasAdamW o => o.WeightDecay,
        KerasRmsProp o => o.WeightDecay,
        KerasAdagrad o => o.WeightDecay,
        KerasAdamax o => o.WeightDecay,
        KerasNadam o => o.WeightDecay,
        KerasAdadelta o => o.WeightDecay,
        KerasLion o => o.WeightDecay,
        _ => 0,
    };

    /// <summary>The same optimizer with another decay; the same one if it has none.</summary>
    public static Optimizer WithWeightDecay(Optimizer optimizer, double decay) => optimizer switch
    {
        Sgd o => o with { WeightDecay = decay },
        Adam o => o with { WeightDecay = decay },
        AdamW o => o with { WeightDecay = decay },
        RmsProp o => o with { WeightDecay = decay },
        Adagrad o => o with { WeightDecay = decay },
        Adamax o => o with { WeightDecay = decay },
        Nadam o => o with { WeightDecay = decay },
        Radam o => o with { WeightDecay = decay },
        Adadelta o => o with { WeightDecay = decay },
        StableAdamW o => o with { WeightDecay = decay },
        Lion o => o with { WeightDecay = decay },
        Lars o => o with { WeightDecay = decay },
        Lamb o => o with { WeightDecay = decay },
        KerasSgd o => o with { WeightDecay = decay },
        KerasAdam o => o with { WeightDecay = decay },
        KerasAdamW o => o with { WeightDecay = decay },
        KerasRmsProp o => o with { WeightDecay = decay },
        KerasAdagrad o => o with { WeightDecay = decay },
        KerasAdamax o => o with { WeightDecay = decay },
        KerasNadam o => o with { WeightDecay = decay },
        KerasAdadelta o => o with { WeightDecay = decay },
        KerasLion o => o with { WeightDecay = decay },
        _ => optimizer,
    };

    /// <summary>The optimizer with its usual momentum, decays of averages and ε.</summary>
    public static Optimizer WithUsualSettings(Optimizer optimizer) => optimizer switch
    {
        Sgd o => o with { Momentum = Math.Min(o.Momentum, 0.9), Dampening = 0 },
        KerasSgd o => o with { Momentum = Math.Min(o.Momentum, 0.9) },
        Adam o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8 },
        AdamW o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8 },
        Adamax o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8 },
        Nadam o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8 },
        Radam o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8 },
        StableAdamW o => o with { Beta1 = 0.9, Beta2 = 0.99, Epsilon = 1e-6 },
        Lamb o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-6 },
        Lion o => o with { Beta1 = 0.9, Beta2 = 0.99 },
        RmsProp o => o with { Alpha = 0.99, Epsilon = 1e-8, Momentum = Math.Min(o.Momentum, 0.9) },
        Adagrad o => o with { Epsilon = 1e-10 },
        KerasAdam o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-7 },
        KerasAdamW o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-7 },
        KerasAdamax o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-7 },
        KerasNadam o => o with { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-7 },
        KerasLion o => o with { Beta1 = 0.9, Beta2 = 0.99 },
        KerasRmsProp o => o with { Rho = 0.9, Epsilon = 1e-7, Momentum = Math.Min(o.Momentum, 0.9) },
        KerasAdagrad o => o with { Epsilon = 1e-7 },
        _ => optimizer,
    };

    /// <summary>Whether a setting is so far from the usual that it is a fault in itself.</summary>
    public static bool HasUnusualSettings(Optimizer optimizer) => optimizer switch
    {
        Sgd o => o.Momentum > 0.95 || o.Dampening > 0.5,
        KerasSgd o => o.Momentum > 0.95,
        Adam o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        AdamW o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        Adamax o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        Nadam o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        Radam o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        StableAdamW o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        Lamb o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        Lion o => Unusual(o.Beta1, o.Beta2, 0),
        RmsProp o => Unusual(0.9, o.Alpha, o.Epsilon) || o.Momentum > 0.95,
        Adagrad o => o.Epsilon > LargestEpsilon,
        KerasAdam o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        KerasAdamW o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        KerasAdamax o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        KerasNadam o => Unusual(o.Beta1, o.Beta2, o.Epsilon),
        KerasLion o => Unusual(o.Beta1, o.Beta2, 0),
        KerasRmsProp o => Unusual(0.9, o.Rho, o.Epsilon) || o.Momentum > 0.95,
        KerasAdagrad o => o.Epsilon > LargestEpsilon,
        _ => false,
    };

    /// <summary>ε above it weighs as much as the root of the mean square gradient of a healthy small network.</summary>
    private const double LargestEpsilon = 1e-3;

    /// <summary>
    /// Mean squares over fewer than five gradients, either mean over more than a million, or an ε that takes the optimizer's
    /// own scale away. No first mean at all (β₁ = 0) is a setting of its own, and no fault.
    /// </summary>
    private static bool Unusual(double beta1, double beta2, double epsilon) =>
        beta1 > 0.999999 || beta2 is < 0.8 or > 0.999999 || epsilon > LargestEpsilon;
}
