using System.Numerics;

namespace Fathom.Compute.Tests;

public sealed class SimdMathTests
{
    // Bounds in units in the last place. Without fused multiply-add (and for functions of functions) a little more is
    // lost; e^(−x²) far out loses x² units there, so erfc is bounded by its own line.
    private const double Ulps = 4;

    [Fact]
    public void Exp_agrees_with_50_digits() => Check<ExpOf<float>, ExpOf<double>>(row => row.Exp, Ulps);

    [Fact]
    public void Expm1_agrees_with_50_digits() => Check<Expm1Of<float>, Expm1Of<double>>(row => row.Expm1, Ulps);

    [Fact]
    public void Log_agrees_with_50_digits() => Check<LogOf<float>, LogOf<double>>(row => row.Log, Ulps);

    [Fact]
    public void Log1p_agrees_with_50_digits() => Check<Log1pOf<float>, Log1pOf<double>>(row => row.Log1p, Ulps);

    [Fact]
    public void Tanh_agrees_with_50_digits() => Check<TanhOf<float>, TanhOf<double>>(row => row.Tanh, Ulps);

    [Fact]
    public void Sigmoid_agrees_with_50_digits() => Check<SigmoidOf<float>, SigmoidOf<double>>(row => row.Sigmoid, Ulps);

    [Fact]
    public void Softplus_agrees_with_50_digits() => Check<SoftplusOf<float>, SoftplusOf<double>>(row => row.Softplus, Ulps);

    [Fact]
    public void Erf_agrees_with_50_digits() => Check<ErfOf<float>, ErfOf<double>>(row => row.Erf, Ulps);

    [Fact]
    public void Erfc_agrees_with_50_digits() =>
        Check<ErfcOf<float>, ErfcOf<double>>(row => row.Erfc, System.Runtime.Intrinsics.X86.Fma.IsSupported || System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 8 : 2000);

    [Fact]
    public void Tails_of_the_normal_distribution_keep_their_digits()
    {
        for (double x = -14; x < 14; x += 0.0137)
        {
            float a = (float)Math.Abs(x);
            double tail = 0.5 * Every<double, ErfcOf<double>>(default, a * Math.Sqrt(0.5));
            AssertClose(tail, Every<double, NormalTailOf<double>>(default, (float)x), x, 4);
            AssertClose(tail, Every<float, NormalTailOf<float>>(default, (float)x), x, 8 + a * a);
            AssertClose(Math.Exp(-0.5 * a * a), Every<double, GaussOf<double>>(default, (float)x), x, 4 + 2 * a * a); // x/√2 is rounded there
            AssertClose(Math.Exp(-0.5 * a * a), Every<float, GaussOf<float>>(default, (float)x), x, 4 + a * a);
        }
    }

    [Fact]
    public void Exp_and_Log_agree_with_the_platform_everywhere()
    {
        for (double x = -745; x < 710; x += 0.37)
        {
            AssertClose(Math.Exp(x), Every<double, ExpOf<double>>(default, x), x, Ulps);
            AssertClose(Math.Exp((float)x), Every<float, ExpOf<float>>(default, (float)x), x, Ulps);
        }
        for (int exponent = -1074; exponent < 1024; exponent++)
        {
            double x = Math.ScaleB(1.0 + (exponent & 7) / 8.0, exponent);
            AssertClose(Math.Log(x), Every<double, LogOf<double>>(default, x), x, Ulps);
        }
        for (int exponent = -149; exponent < 128; exponent++)
        {
            float x = MathF.ScaleB(1.0f + (exponent & 7) / 8.0f, exponent);
            AssertClose(Math.Log(x), Every<float, LogOf<float>>(default, x), x, Ulps);
        }
    }

    [Fact]
    public void Tanh_agrees_with_the_platform_and_is_odd()
    {
        for (double x = 1e-9; x < 30; x = x * 1.03 + 1e-9)
        {
            double tanh = Every<double, TanhOf<double>>(default, x);
            AssertClose(Math.Tanh(x), tanh, x, Ulps);
            Assert.Equal(-tanh, Every<double, TanhOf<double>>(default, -x));
            AssertClose(Math.Tanh((float)x), Every<float, TanhOf<float>>(default, (float)x), x, Ulps);
        }
    }

    [Fact]
    public void Limits_are_those_of_IEEE_754()
    {
        Limits<float>();
        Limits<double>();
    }

    private static void Limits<T>() where T : unmanaged, IFloatingPointIeee754<T>
    {
        T inf = T.PositiveInfinity, zero = T.Zero, minusZero = T.NegativeZero, one = T.One;
        Special<T, ExpOf<T>>((inf, inf), (-inf, zero), (zero, one), (minusZero, one));
        Special<T, Expm1Of<T>>((inf, inf), (-inf, -one), (zero, zero), (minusZero, minusZero));
        Special<T, LogOf<T>>((inf, inf), (-inf, T.NaN), (zero, -inf), (minusZero, -inf), (-one, T.NaN), (one, zero));
        Special<T, Log1pOf<T>>((inf, inf), (-inf, T.NaN), (zero, zero), (minusZero, minusZero), (-one, -inf));
        Special<T, TanhOf<T>>((inf, one), (-inf, -one), (zero, zero), (minusZero, minusZero));
        Special<T, SigmoidOf<T>>((inf, one), (-inf, zero));
        Special<T, SoftplusOf<T>>((inf, inf), (-inf, zero));
        Special<T, ErfOf<T>>((inf, one), (-inf, -one), (zero, zero), (minusZero, minusZero));
        Special<T, ErfcOf<T>>((inf, zero), (-inf, one + one), (zero, one));
        Special<T, NormalTailOf<T>>((inf, zero), (-inf, zero));
        Special<T, GaussOf<T>>((inf, zero), (-inf, zero));
    }

    private static void Special<T, TOp>(params (T X, T Y)[] cases) where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IUnaryOperator<T>
    {
        Assert.True(T.IsNaN(Every<T, TOp>(default, T.NaN)), $"{typeof(TOp).Name}(NaN)");
        foreach ((T x, T expected) in cases)
        {
            T y = Every<T, TOp>(default, x);
            Assert.True(y.Equals(expected) && (T.IsNaN(y) || T.IsNegative(y) == T.IsNegative(expected)), $"{typeof(TOp).Name}({x}) = {y}, not {expected}");
        }
    }

    private static void Check<TSingle, TDouble>(Func<MathReference.Row, double> value, double ulps)
        where TSingle : struct, IUnaryOperator<float> where TDouble : struct, IUnaryOperator<double>
    {
        foreach (MathReference.Row row in MathReference.Rows)
        {
            AssertClose(value(row), Every<double, TDouble>(default, row.X), row.X, ulps);
            AssertClose(value(row), Every<float, TSingle>(default, (float)row.X), row.X, ulps);
        }
    }

    /// <summary>f(x) on every width there is, which must agree to the last few bits; the vectors' lanes exactly.</summary>
    private static T Every<T, TOp>(TOp op, T x) where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IUnaryOperator<T>
    {
        T wide = Lane<T, TOp, Vec512<T>>(op, x);
        T half = Lane<T, TOp, Vec256<T>>(op, x);
        T quarter = Lane<T, TOp, Vec128<T>>(op, x);
        T scalar = Lane<T, TOp, Vec1<T>>(op, x);
        Assert.Equal(half, quarter);
        AssertClose(double.CreateTruncating(half), wide, double.CreateTruncating(x), 2);
        AssertClose(double.CreateTruncating(half), scalar, double.CreateTruncating(x), 2);
        return half;
    }

    private static unsafe T Lane<T, TOp, V>(TOp op, T x)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IUnaryOperator<T> where V : struct, ISimd<V, T>
    {
        T* lanes = stackalloc T[16];
        op.Invoke(V.Broadcast(x)).Store(lanes);
        for (int i = 1; i < V.Count; i++)
        {
            Assert.Equal(lanes[0], lanes[i]);
        }
        return lanes[0];
    }

    private static void AssertClose<T>(double expected, T actual, double x, double ulps) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T rounded = T.CreateTruncating(expected);
        if (rounded.Equals(actual))
        {
            return;
        }
        T spacing = T.Max(T.BitIncrement(T.Abs(rounded)) - T.Abs(rounded), T.Epsilon);
        double error = Math.Abs(double.CreateTruncating(actual) - expected) / double.CreateTruncating(spacing);
        Assert.True(error <= ulps, $"at {x:R}: {actual} instead of {expected:R}, {error:F1} units in the last place");
    }
}
