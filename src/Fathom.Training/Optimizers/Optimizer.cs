using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>A rule that turns a gradient into an update. A value; one file per optimizer.</summary>
public abstract record Optimizer
{
    /// <summary>The name in model files, such as <c>sgd</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Learning rate before any schedule; greater than 0.</summary>
    public abstract double LearningRate { get; init; }

    /// <summary>Tensors of state per parameter, such as Adam's two moments. They start at <see cref="InitialState"/>.</summary>
    public abstract int StateCount { get; }

    /// <summary>Value of a state tensor before the first step.</summary>
    public virtual double InitialState(int state) => 0;

    /// <summary>A number that depends on the step alone and is too dear to compute for each piece; see <see cref="UpdateScope{T}.StepNumber"/>.</summary>
    public virtual double NumberForStep(long step) => 0;

    /// <summary>
    /// Whether the change depends on the parameter as a whole, such as on its norm. Then a first pass over all pieces
    /// calls <see cref="Gather"/>, and <see cref="TensorFactor"/> makes one number of it for the second pass.
    /// </summary>
    public virtual bool IsTensorwise => false;

    /// <summary>First pass of a tensorwise optimizer over a piece: what it adds to the parameter's sums. May update the states.</summary>
    public virtual TensorSums Gather<T>(in UpdateScope<T> scope) where T : unmanaged, IBinaryFloatingPointIeee754<T> => default;

    /// <summary>The number for a whole parameter; <see cref="UpdateScope{T}.TensorFactor"/> in the second pass.</summary>
    /// <param name="sums">The sums over its pieces.</param>
    /// <param name="length">Its elements.</param>
    public virtual double TensorFactor(in TensorSums sums, int length) => 1;

    /// <summary>
    /// Computes the change of a piece of one parameter. Must be elementwise in the piece: a tensor is handed over in
    /// several pieces, small enough to stay in cache. Scalars such as bias corrections are computed in double.
    /// </summary>
    public abstract void Update<T>(in UpdateScope<T> scope) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>
    /// Whether <see cref="UpdateInOnePass"/> does the same as <see cref="Update"/>, up to rounding, and faster; then it is
    /// used instead.
    /// </summary>
    internal virtual bool NeedsOnePass => false;

    /// <summary>The step over a piece with a rule for one vector; see <see cref="IUpdateRule{T}"/>.</summary>
    internal virtual void UpdateInOnePass<T>(in OnePass<T> piece) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        throw new NotSupportedException($"{Kind} has no rule for one pass");

    /// <summary>An error that names the setting, its value and what is allowed.</summary>
    public virtual void Validate() =>
        Require(LearningRate > 0 && !double.IsInfinity(LearningRate), "learning_rate", LearningRate, "greater than 0 and finite");

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"optimizer {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }

    /// <summary>For the decay of a moving average, or a momentum.</summary>
    protected void RequireShare(string setting, double value) => Require(value >= 0 && value < 1, setting, value, "at least 0 and below 1");

    protected void RequireNotNegative(string setting, double value) =>
        Require(value >= 0 && !double.IsInfinity(value), setting, value, "0 or more and finite");
}

/// <summary>A piece of one parameter and what belongs to it. All spans have the same length.</summary>
public readonly ref struct UpdateScope<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public UpdateScope()
    {
    }

    /// <summary>The parameter before the step; read only.</summary>
    public required ReadOnlySpan<T> Values { get; init; }

    /// <summary>A copy of its gradient, after clipping. May be overwritten as scratch.</summary>
    public required Span<T> Gradient { get; init; }

    /// <summary>Receives the change, which is then added to the parameter.</summary>
    public required Span<T> Delta { get; init; }

    /// <summary>Scratch memory.</summary>
    public required Span<T> Scratch { get; init; }

    /// <summary>Memory of all states of this optimizer.</summary>
    public required ReadOnlySpan<Buffer<T>> States { private get; init; }

    /// <summary>Where this piece starts in the states.</summary>
    public required int Offset { private get; init; }

    /// <summary>Learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Number of this step, counted from 1.</summary>
    public required long Step { get; init; }

    /// <summary>What <see cref="Optimizer.NumberForStep"/> gave for this step.</summary>
    public double StepNumber { get; init; }

    /// <summary>What <see cref="Optimizer.TensorFactor"/> gave for this parameter; 1 in the first pass, and without one.</summary>
    public double TensorFactor { get; init; } = 1;

    /// <summary>Whether the parameter has one axis or none, as a bias or a gain has.</summary>
    public bool IsVector { get; init; }

    /// <summary>This piece of a state tensor.</summary>
    public Span<T> State(int index) => States[index].Slice(Offset, Values.Length).Span;

    /// <summary>The gradient plus <paramref name="weightDecay"/> times the parameter: L2 regularisation. Overwrites the gradient.</summary>
    public Span<T> DecayedGradient(double weightDecay)
    {
        if (weightDecay != 0)
        {
            TensorPrimitives.MultiplyAdd(Values, T.CreateTruncating(weightDecay), Gradient, Gradient);
        }
        return Gradient;
    }

    /// <summary>Adds −rate · decay · parameter to the change: decay beside the gradient. Loshchilov and Hutter 2019.</summary>
    public void DecayWeights(double weightDecay)
    {
        if (weightDecay != 0)
        {
            TensorPrimitives.MultiplyAdd(Values, T.CreateTruncating(-LearningRate * weightDecay), Delta, Delta);
        }
    }

    /// <summary>average = decay · average + (1 − decay) · x.</summary>
    public static void Average(Span<T> average, ReadOnlySpan<T> x, double decay)
    {
        TensorPrimitives.Multiply(average, T.CreateTruncating(decay), average);
        TensorPrimitives.MultiplyAdd(x, T.CreateTruncating(1 - decay), average, average);
    }

    /// <summary>average = decay · average + (1 − decay) · x². Overwrites <see cref="Scratch"/>.</summary>
    public void AverageSquares(Span<T> average, ReadOnlySpan<T> x, double decay)
    {
        // (1 − decay)·x·x from the left, as in PyTorch: x² alone is infinite from 2e19 on, and an infinite average never falls again.
        TensorPrimitives.Multiply(x, T.CreateTruncating(1 - decay), Scratch);
        TensorPrimitives.Multiply(Scratch, x, Scratch);
        TensorPrimitives.MultiplyAdd(average, T.CreateTruncating(decay), Scratch, average);
    }

    /// <summary><see cref="Scratch"/> = √x · factor + epsilon.</summary>
    public void RootIntoScratch(ReadOnlySpan<T> x, double factor, double epsilon)
    {
        TensorPrimitives.Sqrt(x, Scratch);
        if (factor != 1)
        {
            TensorPrimitives.Multiply(Scratch, T.CreateTruncating(factor), Scratch);
        }
        TensorPrimitives.Add(Scratch, T.CreateTruncating(epsilon), Scratch);
    }

    /// <summary><see cref="Delta"/> = factor · x / <see cref="Scratch"/>.</summary>
    public void QuotientIntoDelta(ReadOnlySpan<T> x, double factor)
    {
        TensorPrimitives.Divide(x, Scratch, Delta);
        TensorPrimitives.Multiply(Delta, T.CreateTruncating(factor), Delta);
    }
}
