using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>What a pool does with the planes of a part.</summary>
internal enum PoolStep
{
    Max,
    Scatter,
    Average,
    Spread,
}

/// <summary>The loops of pooling, for either order of the axes. A part is some planes (a sample's channels).</summary>
internal static class PoolJob
{
    /// <summary>As in PyTorch, each window has to hold an element of the image: at most half a kernel of padding.</summary>
    public static void RequirePadding(ShapeScope scope, in WindowGrid grid, Padding padding)
    {
        bool isImage = scope.Shape(0).Rank == 4;
        if (!padding.IsSame && ((isImage && 2 * padding.Height > grid.Vertical.Kernel) || 2 * padding.Width > grid.Horizontal.Kernel))
        {
            throw scope.BadAttribute("padding", padding, "at most half the kernel");
        }
    }

    public static unsafe void Max<T>(in KernelContext<T> context, in WindowGrid grid, bool channelsLast) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        PoolJob<T> job = new(PoolStep.Max, context.InputShape(0), context.OutputShape(0), channelsLast)
        {
            Fine = context.Input(0).Pointer,
            Coarse = context.Output(0).Pointer,
            Indices = context.Outputs[1].Index.Pointer,
            Grid = grid,
        };
        job.Run(context.Pool);
    }

    public static unsafe void Scatter<T>(in KernelContext<T> context, bool channelsLast) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        PoolJob<T> job = new(PoolStep.Scatter, context.OutputShape(0), context.InputShape(0), channelsLast)
        {
            Fine = context.Output(0).Pointer,
            Coarse = context.Input(0).Pointer,
            Indices = context.Inputs[1].Index.Pointer,
        };
        job.Run(context.Pool);
    }

    public static unsafe void Average<T>(in KernelContext<T> context, AverageAxis vertical, AverageAxis horizontal, bool channelsLast)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        PoolJob<T> job = new(PoolStep.Average, context.InputShape(0), context.OutputShape(0), channelsLast)
        {
            Fine = context.Input(0).Pointer,
            Coarse = context.Output(0).Pointer,
            Vertical = vertical,
            Horizontal = horizontal,
        };
        job.Run(context.Pool);
    }

    public static unsafe void Spread<T>(in KernelContext<T> context, AverageAxis vertical, AverageAxis horizontal, bool channelsLast)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        PoolJob<T> job = new(PoolStep.Spread, context.OutputShape(0), context.InputShape(0), channelsLast)
        {
            Fine = context.Output(0).Pointer,
            Coarse = context.Input(0).Pointer,
            Vertical = vertical,
            Horizontal = horizontal,
        };
        job.Run(context.Pool);
    }
}

/// <summary>Fine is the pool's input (or its gradient), coarse its output (or its gradient).</summary>
internal unsafe struct PoolJob<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int ElementsPerPart = 16384;

    private readonly PoolStep step;
    private readonly int channels, planes, planesPerPart, height, width, outHeight, outWidth;
    private readonly bool channelsLast;

    /// <param name="step">What to do.</param>
    /// <param name="fine">Shape of the pool's input.</param>
    /// <param name="coarse">Shape of the pool's output.</param>
    /// <param name="channelsLast">Order of the axes.</param>
    public PoolJob(PoolStep step, int[] fine, int[] coarse, bool channelsLast)
    {
        this.step = step;
        this.channelsLast = channelsLast;
        (height, width, channels) = WindowGrid.Image(fine, channelsLast);
        (outHeight, outWidth, _) = WindowGrid.Image(coarse, channelsLast);
        planes = fine[0] * channels;
        planesPerPart = Math.Max(1, ElementsPerPart / Math.Max(1, height * width));
    }

    public T* Fine { get; init; }

    public T* Coarse { get; init; }

    public int* Indices { get; init; }

    public WindowGrid Grid { get; init; }

    public AverageAxis Vertical { get; init; }

    public AverageAxis Horizontal { get; init; }

    private readonly nint Step => channelsLast ? channels : 1;

    public void Run(WorkerPool pool) => pool.Run(ref this, (planes + planesPerPart - 1) / planesPerPart);

    public readonly void Execute(int part, int worker)
    {
        int end = Math.Min(planes, (part + 1) * planesPerPart);
        for (int plane = part * planesPerPart; plane < end; plane++)
        {
            T* fine = Fine + Start(plane, height * width);
            nint coarse = Start(plane, outHeight * outWidth);
            switch (step)
            {
                case PoolStep.Max: MaxPlane(fine, Coarse + coarse, Indices + coarse); break;
                case PoolStep.Scatter: ScatterPlane(fine, Coarse + coarse, Indices + coarse); break;
                case PoolStep.Average: AveragePlane(fine, Coarse + coarse); break;
                default: SpreadPlane(fine, Coarse + coarse); break;
            }
        }
    }

    private readonly nint Start(int plane, int size) =>
        channelsLast ? (nint)(plane / channels) * size * channels + plane % channels : (nint)plane * size;

    private readonly void MaxPlane(T* x, T* y, int* indices)
    {
        (WindowAxis rows, WindowAxis columns) = (Grid.Vertical, Grid.Horizontal);
        for (int i = 0; i < outHeight; i++)
        {
            (int top, int bottom) = Inside(rows, i);
            for (int j = 0; j < outWidth; j++)
            {
                (int left, int right) = Inside(columns, j);
                // With a dilation a window may step over the whole image: then no element gets the gradient.
                int best = top < bottom && left < right ? top * width + left : -1;
                T largest = T.NegativeInfinity;
                for (int row = top; row < bottom; row += rows.Dilation)
                {
                    for (int column = left; column < right; column += columns.Dilation)
                    {
                        T value = x[(row * width + column) * Step];
                        if (value > largest || T.IsNaN(value))
                        {
                            (largest, best) = (value, row * width + column);
                        }
                    }
                }
                nint at = (i * outWidth + j) * Step;
                y[at] = largest;
                indices[at] = best;
            }
        }
    }

    /// <summary>The first element of a window that lies inside the axis, and the end of those that may.</summary>
    private static (int First, int End) Inside(WindowAxis axis, int window)
    {
        int start = window * axis.Stride - axis.Before;
        int end = Math.Min(axis.Input, start + axis.Reach);
        return (start >= 0 ? start : start + (-start + axis.Dilation - 1) / axis.Dilation * axis.Dilation, end);
    }

    private readonly void ScatterPlane(T* dx, T* dy, int* indices)
    {
        Clear(dx);
        for (int i = 0; i < outHeight * outWidth; i++)
        {
            int at = indices[i * Step];
            if (at >= 0)
            {
                dx[at * Step] += dy[i * Step];
            }
        }
    }

    private readonly void AveragePlane(T* x, T* y)
    {
        for (int i = 0; i < outHeight; i++)
        {
            (int top, int bottom) = (Vertical.Start(i), Vertical.End(i));
            for (int j = 0; j < outWidth; j++)
            {
                (int left, int right) = (Horizontal.Start(j), Horizontal.End(j));
                T sum = T.Zero;
                for (int row = top; row < bottom; row++)
                {
                    for (int column = left; column < right; column++)
                    {
                        sum += x[(row * width + column) * Step];
                    }
                }
                y[(i * outWidth + j) * Step] = sum / T.CreateTruncating((long)Vertical.Count(i) * Horizontal.Count(j));
            }
        }
    }

    private readonly void SpreadPlane(T* dx, T* dy)
    {
        Clear(dx);
        for (int i = 0; i < outHeight; i++)
        {
            (int top, int bottom) = (Vertical.Start(i), Vertical.End(i));
            for (int j = 0; j < outWidth; j++)
            {
                (int left, int right) = (Horizontal.Start(j), Horizontal.End(j));
                T share = dy[(i * outWidth + j) * Step] / T.CreateTruncating((long)Vertical.Count(i) * Horizontal.Count(j));
                for (int row = top; row < bottom; row++)
                {
                    for (int column = left; column < right; column++)
                    {
                        dx[(row * width + column) * Step] += share;
                    }
                }
            }
        }
    }

    private readonly void Clear(T* plane)
    {
        if (Step == 1)
        {
            new Span<T>(plane, height * width).Clear();
            return;
        }
        for (int i = 0; i < height * width; i++)
        {
            plane[i * Step] = T.Zero;
        }
    }
}
