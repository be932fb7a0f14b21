using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Two-dimensional convolution and its gradients. An element is summed in an order that depends on the shape alone, not
/// on the number of threads. Scratch memory is the caller's, and a pool's own grows on its first call.
/// Kernels of 3×3 with stride 1 and enough channels run on tiles of 4×4 outputs with a quarter of the multiplications
/// (<see cref="WinogradTransform"/>). There an element's rounding error is relative to the largest in its tile, and if
/// any result is not finite, all are computed again directly, so that infinities stay where they belong: in outputs and
/// in the gradient by the input. In the gradient by the weight they also reach other taps of their channels.
/// With larger strides and enough channels it is done pixel by pixel (<see cref="PixelPlan"/>).
/// </summary>
public static unsafe class Convolution
{
    /// <summary>Elements of scratch that <see cref="Forward"/> and <see cref="InputGradient"/> want.</summary>
    public static int ScratchElements(in ConvolutionShape shape) =>
        Math.Max(PixelPlan.Suits(shape) ? PixelPlan.ScratchElements(shape) : DirectElements(shape), WinogradPlan.Suits(shape) ? WinogradPlan.WeightElements(shape) : 0);

    /// <summary>Elements of scratch that <see cref="WeightGradient"/> wants.</summary>
    public static int WeightGradientScratchElements(in ConvolutionShape shape)
    {
        // The chunks do not depend on the element's size.
        WeightGradientPlan plan = new(shape, sizeof(double));
        return checked(plan.Chunks * plan.ChunkElements);
    }

    /// <summary>y = x ∗ w + b; the bias may be empty.</summary>
    /// <exception cref="ArgumentException">A buffer's length does not match the shape.</exception>
    public static void Forward<T>(in ConvolutionShape shape, Buffer<T> x, Buffer<T> weight, Buffer<T> bias, Buffer<T> y, Buffer<T> scratch, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Require(x, shape.InputElements, nameof(x));
        Require(weight, shape.WeightElements, nameof(weight));
        Require(y, shape.OutputElements, nameof(y));
        if (!bias.IsEmpty)
        {
            Require(bias, shape.OutChannels, nameof(bias));
        }
        if (PixelPlan.Suits(shape))
        {
            RunPixels(PixelPlan.Forward(shape, sizeof(T)), x, weight, bias, y, scratch, pool);
        }
        else if (!WinogradPlan.Suits(shape) || !RunTiles(WinogradPlan.Forward(shape, sizeof(T)), x, weight, bias, y, scratch, pool))
        {
            Run(ConvolutionPass.Forward(shape, sizeof(T)), x, weight, bias, y, scratch, pool);
        }
    }

    /// <summary>dx: every input gathers dy · w from the outputs that it was part of.</summary>
    /// <exception cref="ArgumentException">A buffer's length does not match the shape.</exception>
    public static void InputGradient<T>(in ConvolutionShape shape, Buffer<T> dy, Buffer<T> weight, Buffer<T> dx, Buffer<T> scratch, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Require(dy, shape.OutputElements, nameof(dy));
        Require(weight, shape.WeightElements, nameof(weight));
        Require(dx, shape.InputElements, nameof(dx));
        if (PixelPlan.Suits(shape))
        {
            RunPixels(PixelPlan.InputGradient(shape, sizeof(T)), dy, weight, default, dx, scratch, pool);
        }
        else if (!WinogradPlan.Suits(shape) || !RunTiles(WinogradPlan.InputGradient(shape, sizeof(T)), dy, weight, default, dx, scratch, pool))
        {
            Run(ConvolutionPass.InputGradient(shape, sizeof(T)), dy, weight, default, dx, scratch, pool);
        }
    }

    /// <summary>dw = Σ x · dy over samples and pixels.</summary>
    /// <exception cref="ArgumentException">A buffer's length does not match the shape.</exception>
    public static void WeightGradient<T>(in ConvolutionShape shape, Buffer<T> x, Buffer<T> dy, Buffer<T> dw, Buffer<T> scratch, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Require(x, shape.InputElements, nameof(x));
        Require(dy, shape.OutputElements, nameof(dy));
        Require(dw, shape.WeightElements, nameof(dw));
        WeightGradientPlan plan = new(shape, sizeof(T));
        Buffer<T> sums = scratch.Slice(0, plan.Chunks * plan.ChunkElements);
        if (PixelPlan.Suits(shape))
        {
            PixelPlan pixels = PixelPlan.Forward(shape, sizeof(T));
            pool.ReserveScratch(PixelWeightGradientJob<T>.ScratchBytes(pixels, plan));
            PixelWeightGradientJob<T> job = new() { Plan = pixels, Chunks = plan, Input = x.Pointer, Upstream = dy.Pointer, Sums = sums.Pointer, Pool = pool };
            pool.Run(ref job, plan.Chunks);
        }
        else if (!WinogradPlan.SuitsWeightGradient(shape) || !RunTiles(plan, x, dy, sums, pool))
        {
            pool.ReserveScratch(WeightGradientJob<T>.ScratchBytes(plan));
            WeightGradientJob<T> job = new() { Plan = plan, Input = x.Pointer, Upstream = dy.Pointer, Sums = sums.Pointer, Pool = pool };
            pool.Run(ref job, plan.Chunks);
        }
        ChunkSumJob<T> sum = new() { Plan = plan, Sums = sums.Pointer, Gradient = dw.Pointer };
        pool.Run(ref sum, shape.Groups * shape.KernelElements);
    }

    private static void Run<T>(in ConvolutionPass pass, Buffer<T> source, Buffer<T> weight, Buffer<T> bias, Buffer<T> target, Buffer<T> scratch, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Buffer<T> panels = scratch.Slice(0, weight.Length);
        // A table's entry is no larger than an element.
        int* offsets = (int*)scratch.Slice(weight.Length, 2 * pass.Terms).Pointer;
        int* indices = offsets + pass.Terms;
        pass.FillTables(offsets, indices);
        PanelJob<T> pack = new() { Pass = pass, Weight = weight.Pointer, Panels = panels.Pointer, Indices = indices };
        pool.Run(ref pack, pass.Groups);
        pool.ReserveScratch(ConvolutionJob<T>.ScratchBytes(pass));
        ConvolutionJob<T> job = new()
        {
            Pass = pass,
            Source = source.Pointer,
            Target = target.Pointer,
            Panels = panels.Pointer,
            Bias = bias.IsEmpty ? null : bias.Pointer,
            Offsets = offsets,
            Pool = pool,
        };
        pool.Run(ref job, pass.Samples * pass.Blocks);
    }

    private static void RunPixels<T>(in PixelPlan plan, Buffer<T> source, Buffer<T> weight, Buffer<T> bias, Buffer<T> target, Buffer<T> scratch, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int weights = plan.Shape.KernelElements * plan.Source.Channels * plan.Pitch;
        // A table's entry is no larger than an element.
        int* offsets = (int*)scratch.Slice(weights, plan.Shape.KernelElements).Pointer;
        plan.FillOffsets(offsets);
        PixelWeightJob<T> pack = new() { Plan = plan, Weight = weight.Pointer, Packed = scratch.Pointer };
        pool.Run(ref pack, plan.Source.Channels);
        pool.ReserveScratch(PixelJob<T>.ScratchBytes(plan));
        PixelJob<T> job = new()
        {
            Plan = plan,
            Source = source.Pointer,
            Weights = scratch.Pointer,
            Bias = bias.IsEmpty ? null : bias.Pointer,
            Target = target.Pointer,
            Offsets = offsets,
            Pool = pool,
        };
        pool.Run(ref job, plan.Shape.Samples * plan.Blocks);
    }

    /// <summary>
    /// Tries it on tiles. False if a result is not finite: in a tile an infinity becomes NaN and spreads to all outputs, but
    /// it is to be seen where it belongs.
    /// </summary>
    private static bool RunTiles<T>(in WinogradPlan plan, Buffer<T> source, Buffer<T> weight, Buffer<T> bias, Buffer<T> target, Buffer<T> scratch, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        WinogradWeightJob<T> transform = new() { Plan = plan, Weight = weight.Pointer, Transformed = scratch.Pointer };
        pool.Run(ref transform, plan.Patches.Image.Channels);
        pool.ReserveScratch(WinogradJob<T>.ScratchBytes(plan));
        int overflow = 0;
        WinogradJob<T> job = new()
        {
            Plan = plan,
            Source = source.Pointer,
            Weights = scratch.Pointer,
            Bias = bias.IsEmpty ? null : bias.Pointer,
            Target = target.Pointer,
            Overflow = &overflow,
            Pool = pool,
        };
        pool.Run(ref job, plan.Blocks);
        return overflow == 0;
    }

    private static bool RunTiles<T>(in WeightGradientPlan chunks, Buffer<T> x, Buffer<T> dy, Buffer<T> sums, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        WinogradPlan plan = WinogradPlan.Forward(chunks.Shape, sizeof(T));
        pool.ReserveScratch(WinogradWeightGradientJob<T>.ScratchBytes(plan, chunks));
        int overflow = 0;
        WinogradWeightGradientJob<T> job = new()
        {
            Plan = plan,
            Chunks = chunks,
            Input = x.Pointer,
            Upstream = dy.Pointer,
            Sums = sums.Pointer,
            Overflow = &overflow,
            Pool = pool,
        };
        pool.Run(ref job, chunks.Chunks);
        return overflow == 0;
    }

    /// <summary>Panels of weights, and two tables.</summary>
    private static int DirectElements(in ConvolutionShape shape) =>
        checked(shape.WeightElements + 4 * Math.Max(shape.GroupIn, shape.GroupOut) * shape.KernelElements);

    private static void Require<T>(Buffer<T> buffer, int length, string name, [CallerMemberName] string caller = "") where T : unmanaged
    {
        if (buffer.Length != length)
        {
            throw new ArgumentException($"{caller}: {name} has {buffer.Length} elements; the shape wants {length}.", name);
        }
    }
}
