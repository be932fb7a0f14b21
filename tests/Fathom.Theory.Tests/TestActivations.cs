using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>φ and φ' as plain functions, written independently of the ops' own kernels.</summary>
internal sealed record TestActivation(string Name, Func<double, double> Function, Func<double, double> Derivative) : Activation
{
    public override string Kind => Name;

    public override bool GradientReadsOutput => false;

    public override double Evaluate(double x) => Function(x);

    public override double Slope(double x) => Derivative(x);

    public override void Run<T>(in KernelContext<T> context) => throw new NotSupportedException();

    public override void RunGradient<T>(in KernelContext<T> context) => throw new NotSupportedException();
}

internal static class TestActivations
{
    private const double SeluAlpha = 1.6732632423543772848;
    private const double SeluScale = 1.0507009873554804934;

    public static readonly Activation Linear = new TestActivation("linear", x => x, _ => 1);
    public static readonly Activation Sigmoid = new TestActivation("sigmoid", Logistic, x => Logistic(x) * Logistic(-x));
    public static readonly Activation Tanh = new TestActivation("tanh", Math.Tanh, x => 1 / (Math.Cosh(Math.Min(Math.Abs(x), 300)) * Math.Cosh(Math.Min(Math.Abs(x), 300))));
    public static readonly Activation Relu = LeakyRelu(0);
    public static readonly Activation Elu = new TestActivation("elu", x => x > 0 ? x : Math.Exp(x) - 1, x => x > 0 ? 1 : Math.Exp(x));
    public static readonly Activation Selu = new TestActivation("selu",
        x => SeluScale * (x > 0 ? x : SeluAlpha * (Math.Exp(x) - 1)), x => SeluScale * (x > 0 ? 1 : SeluAlpha * Math.Exp(x)));
    public static readonly Activation Gelu = new TestActivation("gelu",
        x => x * GaussianIntegral.Cumulative(x), x => GaussianIntegral.Cumulative(x) + x * GaussianIntegral.Density(x));
    public static readonly Activation Silu = new TestActivation("silu",
        x => x * Logistic(x), x => Logistic(x) * (1 + x * Logistic(-x)));
    public static readonly Activation Softplus = new TestActivation("softplus",
        x => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x))), Logistic);

    public static Activation LeakyRelu(double slope) => new TestActivation("leaky_relu", x => x > 0 ? x : slope * x, x => x > 0 ? 1 : slope);

    public static Activation Named(string name) => name switch
    {
        "sigmoid" => Sigmoid,
        "tanh" => Tanh,
        "relu" => Relu,
        "elu" => Elu,
        "selu" => Selu,
        "gelu" => Gelu,
        "silu" => Silu,
        "softplus" => Softplus,
        "linear" => Linear,
        _ => throw new ArgumentException(name),
    };

    private static double Logistic(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));
}
