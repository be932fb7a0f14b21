using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Training.Tests.Replay;

/// <summary>An elementwise function as people write it without a guard, for tests: no layer of Fathom is so fragile.</summary>
internal abstract record FragileOp : Op
{
    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> x = context.Input(0), y = context.Output(0);
        for (int i = 0; i < x.Length; i++)
        {
            y.Span[i] = T.CreateTruncating((float)Value(double.CreateTruncating(x.Span[i])));
        }
    }

    public override void Differentiate(GradientScope scope) => scope.Contribute(0, scope.Emit(new FragileGradient(this), "input", scope.Upstream, scope.Input(0)));

    public abstract double Value(double x);

    public abstract double Slope(double x);
}

/// <summary>dy · φ′(x).</summary>
internal sealed record FragileGradient(FragileOp Of) : Op
{
    public override string Kind => $"{Of.Kind}_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> upstream = context.Input(0), x = context.Input(1), dx = context.Output(0);
        for (int i = 0; i < x.Length; i++)
        {
            dx.Span[i] = upstream.Span[i] * T.CreateTruncating((float)Of.Slope(double.CreateTruncating(x.Span[i])));
        }
    }
}

/// <summary>log x: NaN of a negative number, −∞ of 0.</summary>
internal sealed record Log : FragileOp
{
    public override string Kind => "log";

    public override double Value(double x) => Math.Log(x);

    public override double Slope(double x) => 1 / x;
}

/// <summary>exp x: overflows from 88.7 on.</summary>
internal sealed record Exp : FragileOp
{
    public override string Kind => "exp";

    public override double Value(double x) => Math.Exp(x);

    public override double Slope(double x) => Math.Exp(x);
}

/// <summary>√x: its slope at 0 is infinite.</summary>
internal sealed record Root : FragileOp
{
    public override string Kind => "sqrt";

    public override double Value(double x) => Math.Sqrt(x);

    public override double Slope(double x) => 0.5 / Math.Sqrt(x);
}

/// <summary>x / |x|: 0/0 at 0.</summary>
internal sealed record Sign : FragileOp
{
    public override string Kind => "ratio";

    public override double Value(double x) => x / Math.Abs(x);

    public override double Slope(double x) => 0;
}
