using Fathom.Testing;
using Fathom.Compute;
using Fathom.Testing.Reference.Runners;
using Fathom.Training.Execution;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Optimizers;

public sealed class OptimizerStateTests
{
    public static TheoryData<string> Kinds => [.. OptimizerCatalog.ByKind.Keys.Order()];

    [Xunit.Theory]
    [MemberData(nameof(Kinds))]
    public void StepsAreBitIdenticalForAnyNumberOfThreads(string kind)
    {
        (float[] values, UpdateSize[] updates) one = Run(kind, 1, 4);
        foreach (int threads in new[] { 2, 4 })
        {
            (float[] values, UpdateSize[] updates) many = Run(kind, threads, 4);
            Assert.Equal(one.values.Select(BitConverter.SingleToInt32Bits), many.values.Select(BitConverter.SingleToInt32Bits));
            Assert.Equal(one.updates, many.updates);
        }
    }

    [Xunit.Theory]
    [MemberData(nameof(Kinds))]
    public void AStepAllocatesNothing(string kind)
    {
        Optimizer optimizer = OptimizerCatalog.ByKind[kind];
        using WorkerPool pool = new(2);
        using ParameterStore<float> store = Store();
        using OptimizerState<float> state = new(store, optimizer);
        UpdateSize[] updates = new UpdateSize[store.Slices.Count];
        for (int step = 1; step <= 5; step++)
        {
            state.Step(optimizer, 0.01, step, updates, pool);
            state.GradientNorm(pool);
        }
        Assert.Equal(0, SteadyAllocation.Bytes(() =>
        {
            for (int step = 6; step <= 40; step++)
            {
                state.Step(optimizer, 0.01, step, updates, pool);
                state.GradientNorm(pool);
            }
        }, pool));
    }

    [Fact]
    public void UpdateSizesAreThoseOfTheRoundedValues()
    {
        Optimizer optimizer = new Adam(0.01);
        using ParameterStore<float> store = Store();
        using OptimizerState<float> state = new(store, optimizer);
        float[] before = store.Values.Span.ToArray();
        float[] gradients = store.Gradients.Span.ToArray();
        UpdateSize[] updates = new UpdateSize[store.Slices.Count];
        state.Step(optimizer, 0.01, 1, updates, WorkerPool.Single);
        foreach (ParameterSlice slice in store.Slices)
        {
            double squares = 0, max = 0;
            long unchanged = 0;
            for (int i = slice.Offset; i < slice.Offset + slice.Length; i++)
            {
                double value = store.Values.Span[i];
                double change = value - before[i];
                squares += change * change;
                max = Math.Max(max, Math.Abs(change));
                unchanged += change == 0 ? 1 : 0;
            }
            UpdateSize size = updates[state.IndexOf(slice.Name)];
            Assert.Equal(Math.Sqrt(squares), size.L2, 1e-12);
            Assert.Equal(max, size.MaxAbs);
            Assert.Equal(unchanged, size.Unchanged);
        }
        Assert.Equal(gradients, store.Gradients.Span.ToArray());
    }

    [Fact]
    public void AnUpdateLostInRoundingCountsAsUnchanged()
    {
        Sgd optimizer = new(1e-9);
        using ParameterStore<float> store = ParameterTensors.Store<float>([5000]);
        using OptimizerState<float> state = new(store, optimizer);
        store.Value(store.Slices[0]).Span.Fill(1);
        store.Gradient(store.Slices[0]).Span.Fill(1);
        store.Value(store.Slices[0]).Span[4321] = 1e-9f;
        UpdateSize[] updates = new UpdateSize[1];
        state.Step(optimizer, 1e-9, 1, updates, WorkerPool.Single);
        Assert.Equal(4999, updates[0].Unchanged);
        Assert.Equal(1e-9, updates[0].L2, 1e-15);
        Assert.Equal(1e-9, updates[0].MaxAbs, 1e-15);
    }

    [Xunit.Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(37)]
    [InlineData(5000)]
    public void UnchangedElementsAreCountedAmongOthers(int length)
    {
        Sgd optimizer = new(1);
        using ParameterStore<float> store = ParameterTensors.Store<float>([length]);
        using OptimizerState<float> state = new(store, optimizer);
        Random random = new(length);
        double squares = 0, max = 0;
        long unchanged = 0;
        for (int i = 0; i < length; i++)
        {
            // Stretches without any change, stretches of both kinds, and tiny weights that grow by many powers of two.
            float value = random.Next(4) == 0 ? 1e-12f * random.NextSingle() : random.NextSingle();
            float gradient = i / 64 % 2 == 0 || random.Next(2) == 0 ? 0 : 1e-3f * random.NextSingle();
            (store.Values.Span[i], store.Gradients.Span[i]) = (value, gradient);
            double change = (double)(value - gradient) - value;
            squares += change * change;
            max = Math.Max(max, Math.Abs(change));
            unchanged += change == 0 ? 1 : 0;
        }
        UpdateSize[] updates = new UpdateSize[1];
        state.Step(optimizer, 1, 1, updates, WorkerPool.Single);
        Assert.Equal(unchanged, updates[0].Unchanged);
        Assert.Equal(Math.Sqrt(squares), updates[0].L2, 1e-12 * Math.Sqrt(squares));
        Assert.Equal(max, updates[0].MaxAbs);
    }

    [Fact]
    public void AnElementThatIsNoNumberIsNotUnchanged()
    {
        Sgd optimizer = new(1);
        using ParameterStore<float> store = ParameterTensors.Store<float>([64]);
        using OptimizerState<float> state = new(store, optimizer);
        store.Values.Span.Fill(1);
        store.Values.Span[33] = float.NaN;
        UpdateSize[] updates = new UpdateSize[1];
        state.Step(optimizer, 1, 1, updates, WorkerPool.Single);
        Assert.Equal(63, updates[0].Unchanged);
        Assert.True(double.IsNaN(updates[0].L2) && double.IsNaN(updates[0].MaxAbs));
    }

    [Fact]
    public void TheNormOfTinyGradientsIsRight()
    {
        using ParameterStore<float> store = ParameterTensors.Store<float>([100, 100]);
        using OptimizerState<float> state = new(store, new Sgd());
        store.Gradient(store.Slices[0]).Span.Fill(1e-30f);
        Assert.Equal(1e-28, state.GradientNorm(WorkerPool.Single), 1e-34);
    }

    [Xunit.Theory]
    [MemberData(nameof(Kinds))]
    public void AnImportedStateGoesOnBitIdentically(string kind)
    {
        Optimizer optimizer = OptimizerCatalog.ByKind[kind];
        using ParameterStore<float> store = Store();
        using OptimizerState<float> first = new(store, optimizer);
        UpdateSize[] updates = new UpdateSize[store.Slices.Count];
        for (int step = 1; step <= 3; step++)
        {
            first.Step(optimizer, 0.01, step, updates, WorkerPool.Single);
        }
        IReadOnlyDictionary<string, float[]> exported = first.Export();
        Assert.Equal(optimizer.StateCount * store.Slices.Count, exported.Count);
        float[] values = store.Values.Span.ToArray();
        first.Step(optimizer, 0.01, 4, updates, WorkerPool.Single);
        float[] expected = store.Values.Span.ToArray();
        values.CopyTo(store.Values.Span);
        using OptimizerState<float> second = new(store, optimizer);
        second.Import(exported);
        second.Step(optimizer, 0.01, 4, updates, WorkerPool.Single);
        Assert.Equal(expected, store.Values.Span.ToArray());
    }

    [Fact]
    public void AStateOfAnotherNetworkIsRefused()
    {
        using ParameterStore<float> store = Store();
        using OptimizerState<float> adam = new(store, new Adam());
        TrainingException error = Assert.Throws<TrainingException>(() => adam.Import(new Dictionary<string, float[]>()));
        Assert.Equal("the state of adam has no tensor 'optimizer.p0.0'; it belongs to another network or optimizer", error.Message);
        error = Assert.Throws<TrainingException>(() => adam.Import(new Dictionary<string, float[]> { ["optimizer.p0.0"] = new float[2] }));
        Assert.Equal("the tensor 'optimizer.p0.0' has 2 elements; the parameter has 1", error.Message);
        error = Assert.Throws<TrainingException>(() => adam.Step(new Sgd(), 0.1, 1, new UpdateSize[6], WorkerPool.Single));
        Assert.Equal("the optimizer state belongs to adam with 2 tensors per parameter, not to sgd with 0", error.Message);
    }

    private static (float[], UpdateSize[]) Run(string kind, int threads, int steps)
    {
        Optimizer optimizer = OptimizerCatalog.ByKind[kind];
        using WorkerPool pool = new(threads);
        using ParameterStore<float> store = Store();
        using OptimizerState<float> state = new(store, optimizer);
        UpdateSize[] updates = new UpdateSize[store.Slices.Count];
        for (int step = 1; step <= steps; step++)
        {
            state.Step(optimizer, 0.01, step, updates, pool);
        }
        return (store.Values.Span.ToArray(), updates);
    }

    /// <summary>Parameters around the lengths of a block and of a piece.</summary>
    private static ParameterStore<float> Store()
    {
        ParameterStore<float> store = ParameterTensors.Store<float>([1], [2047], [2048], [3, 683], [100, 101], [8193], [16_384], [16_385]);
        for (int i = 0; i < store.Values.Length; i++)
        {
            store.Values.Span[i] = (float)Math.Sin(0.37 * i);
            store.Gradients.Span[i] = i % 11 == 0 ? 0 : (float)(0.1 * Math.Cos(0.91 * i));
        }
        return store;
    }
}
