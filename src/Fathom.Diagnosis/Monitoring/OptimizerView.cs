using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>What an optimizer remembers, as far as rules look at it; the same names for all kinds.</summary>
/// <param name="Momentum">Decay of the mean gradient or of the velocity; 0 for none.</param>
/// <param name="MomentumName">Its name in model files.</param>
/// <param name="SecondState">Index of the state that holds the mean squared gradient; −1 for none.</param>
/// <param name="SecondDecay">Its decay; 1 for a sum that never decays.</param>
/// <param name="SecondName">Its name in model files.</param>
/// <param name="Epsilon">What keeps the root of it from 0.</param>
/// <param name="EpsilonInRoot">√(v + ε) in place of √v + ε.</param>
/// <param name="Corrected">Whether v is divided by 1 − β₂^t in front of ε.</param>
internal sealed record OptimizerView(double Momentum, string MomentumName, int SecondState = -1, double SecondDecay = double.NaN, string SecondName = "", double Epsilon = 0, bool EpsilonInRoot = false, bool Corrected = false)
{
    /// <summary>The number that √v is added to: of the size of a gradient.</summary>
    public double Floor => EpsilonInRoot ? Math.Sqrt(Epsilon) : Epsilon;

    /// <summary>Whether steps do not depend on the gradient's scale.</summary>
    public bool IsAdaptive => SecondState >= 0;

    /// <summary>Factor on v before its root.</summary>
    /// <param name="steps">Steps that are done.</param>
    public double Correction(long steps) => Corrected && SecondDecay < 1 ? 1 / (1 - Math.Pow(SecondDecay, steps)) : 1;

    /// <summary>The view of an optimizer; null for one that has other ways.</summary>
    public static OptimizerView? Of(Optimizer optimizer) => optimizer switch
    {
        Sgd sgd => new(sgd.Momentum, "momentum"),
        KerasSgd sgd => new(sgd.Momentum, "momentum"),
        Adam adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: true, state: adam.Amsgrad ? 2 : 1),
        AdamW adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: true, state: adam.Amsgrad ? 2 : 1),
        StableAdamW adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: true),
        Nadam adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: true),
        Radam adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: false),
        KerasAdam adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: false, state: adam.Amsgrad ? 2 : 1),
        KerasAdamW adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: false, state: adam.Amsgrad ? 2 : 1),
        KerasNadam adam => Moments(adam.Beta1, adam.Beta2, adam.Epsilon, corrected: true),
        RmsProp { Centered: false } rms => new(rms.Momentum, "momentum", 0, rms.Alpha, "alpha", rms.Epsilon),
        KerasRmsProp { Centered: false } rms => new(rms.Momentum, "momentum", 0, rms.Rho, "rho", rms.Epsilon, EpsilonInRoot: true),
        Adagrad grad => new(0, "", 0, 1, "", grad.Epsilon),
        KerasAdagrad grad => new(0, "", 0, 1, "", grad.Epsilon, EpsilonInRoot: true),
        _ => null,
    };

    private static OptimizerView Moments(double beta1, double beta2, double epsilon, bool corrected, int state = 1) =>
        new(beta1, "beta1", state, beta2, "beta2", epsilon, EpsilonInRoot: false, corrected);
}
