using Fathom.Testing.Reference.Runners;
using Fathom.Training.Clipping;
using Fathom.Training.Execution;

namespace Fathom.Training.Tests.Clipping;

public sealed class ClippingTests
{
    [Fact]
    public void BelowTheBoundNothingChangesAtAll()
    {
        using ParameterStore<float> store = ParameterTensors.Store<float>([3], [2, 2]);
        for (int i = 0; i < store.Gradients.Length; i++)
        {
            store.Gradients.Span[i] = i % 16 < 4 ? 0.1f * (i + 1) : 0;
            store.Values.Span[i] = 1000;
        }
        float[] before = store.Gradients.Span.ToArray();
        foreach (GradientClipping clipping in new GradientClipping[] { new ClipByGlobalNorm(1e9), new ClipByTensorNorm(1e9), new ClipByValue(1e9), new ClipAdaptively(1e9) })
        {
            clipping.Apply(store, GradientNorm.Of(store), []);
            Assert.Equal(before, store.Gradients.Span.ToArray());
        }
    }

    [Fact]
    public void ANormThatIsNoNumberShows()
    {
        Assert.Equal([float.NaN, float.NaN, float.NaN], Clipped(2, 1, float.NaN, 3));
        Assert.Equal([0, float.NaN, 0], Clipped(2, 1, float.PositiveInfinity, 3));
        Assert.Equal([0, 0, 0], Clipped(20, 1e30f, 2, 3)); // (1e30)^20 is beyond the range of a double

        static float[] Clipped(double p, params float[] gradient)
        {
            using ParameterStore<float> store = ParameterTensors.Store<float>([3]);
            gradient.CopyTo(store.Gradients.Span);
            new ClipByGlobalNorm(1, p).Apply(store, GradientNorm.Of(store), []);
            float[] clipped = store.Gradients.Span[..3].ToArray();
            gradient.CopyTo(store.Gradients.Span);
            new ClipByTensorNorm(1, p).Apply(store, GradientNorm.Of(store), []);
            Assert.Equal(clipped, store.Gradients.Span[..3].ToArray());
            return clipped;
        }
    }

    [Fact]
    public void NormsAreInDouble()
    {
        float[] tiny = [.. Enumerable.Repeat(1e-30f, 10_000)];
        Assert.Equal(1e-28, GradientNorm.Of<float>(tiny), 1e-34);
        float[] huge = [.. Enumerable.Repeat(3e38f, 33)];
        Assert.Equal(3e38 * Math.Sqrt(33), GradientNorm.Of<float>(huge), 1e32);
        Assert.Equal(3 + 4.0, GradientNorm.Of<float>([3, -4], 1));
        Assert.Equal(4, GradientNorm.Of<float>([3, -4], double.PositiveInfinity));
        Assert.Equal(Math.Pow(27 + 64, 1 / 3.0), GradientNorm.Of<double>([3, -4], 3), 1e-12);
    }

    [Fact]
    public void SettingsOutOfRangeAreNamed()
    {
        Assert.Equal("clip global_norm: max_norm is 0; it must be greater than 0", Assert.Throws<TrainingException>(new ClipByGlobalNorm(0).Validate).Message);
        Assert.Equal("clip value: limit is NaN; it must be greater than 0", Assert.Throws<TrainingException>(new ClipByValue(double.NaN).Validate).Message);
        Assert.Equal("clip agc: epsilon is -0.5; it must be greater than 0", Assert.Throws<TrainingException>(new ClipAdaptively(Epsilon: -0.5).Validate).Message);
        Assert.Equal(["adagc", "agc", "autoclip", "global_norm", "tensor_norm", "value", "zclip"], ClippingCatalog.ByKind.Keys.Order());
        foreach (GradientClipping clipping in ClippingCatalog.ByKind.Values)
        {
            clipping.Validate();
        }
    }
}
