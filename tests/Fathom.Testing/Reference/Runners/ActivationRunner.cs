using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>Elementwise functions, softmax, maxout and gated units.</summary>
public sealed class ActivationRunner : SingleOpRunner
{
    private static readonly Dictionary<string, Func<ReferenceCase, Op>> Makers = new()
    {
        ["sigmoid"] = _ => new Sigmoid(),
        ["tanh"] = _ => new Tanh(),
        ["relu"] = _ => new Relu(),
        ["relu6"] = _ => new Relu6(),
        ["leaky_relu"] = reference => new LeakyRelu(reference.Number("negative_slope", 0.01)),
        ["prelu"] = reference => new PRelu(PerChannel: reference.Tensor("weight").Count > 1),
        ["rrelu"] = reference => new RRelu(reference.Number("lower", 1.0 / 8), reference.Number("upper", 1.0 / 3)),
        ["elu"] = reference => new Elu(reference.Number("alpha", 1)),
        ["selu"] = _ => new Selu(),
        ["gelu"] = reference => new Gelu(reference.TextAttribute("approximate") == "tanh"),
        ["silu"] = _ => new Silu(),
        ["swish"] = reference => new Swish(reference.Number("beta", 1)),
        ["softplus"] = reference => new Softplus(reference.Number("beta", 1), reference.Number("threshold", 20)),
        ["softsign"] = _ => new Softsign(),
        ["mish"] = _ => new Mish(),
        ["hardtanh"] = reference => new HardTanh(reference.Number("min_val", -1), reference.Number("max_val", 1)),
        ["erf"] = _ => new Erf(),
        ["softmax"] = reference => new Softmax((int)reference.Number("dim", -1)),
        ["log_softmax"] = reference => new LogSoftmax((int)reference.Number("dim", -1)),
        ["glu"] = reference => new Glu((int)reference.Number("dim", -1)),
        ["swiglu"] = reference => new SwiGlu((int)reference.Number("dim", -1)),
        ["maxout"] = reference => new Maxout((int)reference.Number("pool_size")),
    };

    public override IReadOnlyCollection<string> Ops => Makers.Keys;

    protected override Op OpOf(ReferenceCase reference) => Makers[reference.Op](reference);
}
