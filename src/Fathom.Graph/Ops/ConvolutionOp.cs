using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// What convolutions share. y[n, o, i, j] = bias[o] + Σ weight[o, c, k, l] · x[n, c, i·stride + k·dilation − pad, …]: the
/// kernel is not flipped. Each of the groups connects its share of the input channels with its share of the filters.
/// Inputs: x, weight (filters, channels / groups, kernel…), bias (filters) if there is one. Output: y; with weight
/// standardization also the weight that is read, and its filters' means and scales.
/// </summary>
public abstract record ConvolutionOp : Op
{
    /// <summary>1 or 2.</summary>
    protected abstract int Dimensions { get; }

    public abstract bool Bias { get; init; }

    public abstract bool ChannelsLast { get; init; }

    public abstract WeightStandardization WeightStandardization { get; init; }

    private bool Standardizes => WeightStandardization != WeightStandardization.None;

    /// <summary>Kernel, stride, dilation and padding as of two dimensions; of one dimension the widths count.</summary>
    protected abstract (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window { get; }

    public override MomentRule? Moments => new(Propagate, PullBack) { PullBack = PullBack };

    /// <summary>Filters and groups for an input of so many channels.</summary>
    protected abstract (int Filters, int Groups) Sizes(int channels);

    /// <summary>Says what is wrong with the attributes that set filters and groups.</summary>
    protected abstract void RequireSizes(ShapeScope scope, int channels);

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape x = dataInputs[0].Shape;
        if (x.Rank != Dimensions + 2 || x[ChannelsLast ? ^1 : 1] is not { PerSample: false } channels || !Window.Kernel.Positive)
        {
            return [];
        }
        (int filters, int groups) = Sizes(channels.Size);
        if (filters < 1 || groups < 1 || channels.Size % groups != 0 || filters % groups != 0)
        {
            return [];
        }
        ParameterSlot weight = new("weight", WeightShape(channels.Size), VarianceScaling.XavierUniform);
        return Bias ? [weight, new ParameterSlot("bias", Shape.Of(filters), ConstantInitializer.Zeros)] : [weight];
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        WindowGrid grid = default;
        if (scope.Inputs.Length > 0)
        {
            WindowGrid.RequireImage(scope, Dimensions, ChannelsLast);
            RequireSizes(scope, scope.Shape(0)[ChannelsLast ? ^1 : 1].Size);
            grid = WindowGrid.Require(scope, Window.Kernel, Window.Stride, Window.Dilation, Window.Padding, false, ChannelsLast);
        }
        scope.RequireCount(Bias ? 3 : 2);
        (int filters, _) = Sizes(grid.Channels);
        scope.RequireShape(1, WeightShape(grid.Channels));
        if (Bias)
        {
            scope.RequireShape(2, Shape.Of(filters));
        }
        TensorType y = new(grid.Output(scope.Shape(0), filters, ChannelsLast));
        return Standardizes ? [y, .. StandardizedWeight.Outputs(scope.Shape(1))] : [y];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        Convolution.ScratchElements(Geometry(inputShapes[0]));

    public override void Run<T>(in KernelContext<T> context)
    {
        if (Standardizes)
        {
            StandardizedWeight.Run(context, WeightStandardization, 1, 1);
        }
        Convolution.Forward(Geometry(context.InputShape(0)), context.Input(0), Standardizes ? context.Output(1) : context.Input(1), Bias ? context.Input(2) : default,
            context.Output(0), context.Scratch, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        Value upstream = scope.Upstream;
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new ConvolutionInputGradient(this, scope.Input(0).Shape), "input", upstream, Standardizes ? scope.Output(1) : scope.Input(1)));
        }
        if (scope.Needs(1))
        {
            Value gradient = scope.Emit(new ConvolutionWeightGradient(this, scope.Input(1).Shape), "weight", upstream, scope.Input(0));
            scope.Contribute(1, Standardizes ? StandardizedWeight.Gradient(scope, WeightStandardization, 1, 1, gradient) : gradient);
        }
        if (Bias && scope.Needs(2))
        {
            scope.Contribute(2, scope.Emit(ChannelsLast ? new ColumnSum() : new ChannelSum(), "bias", upstream));
        }
    }

    /// <summary>The sizes for a bound input shape.</summary>
    internal ConvolutionShape Geometry(int[] input)
    {
        (Size2d kernel, Size2d stride, Size2d dilation, Padding padding) = Window;
        WindowGrid grid = WindowGrid.Of(input, kernel, stride, dilation, padding, false, ChannelsLast);
        (int filters, int groups) = Sizes(grid.Channels);
        return new ConvolutionShape
        {
            Samples = input[0],
            InChannels = grid.Channels,
            InHeight = grid.Vertical.Input,
            InWidth = grid.Horizontal.Input,
            OutChannels = filters,
            OutHeight = grid.Vertical.Output,
            OutWidth = grid.Horizontal.Output,
            KernelHeight = grid.Vertical.Kernel,
            KernelWidth = grid.Horizontal.Kernel,
            StrideHeight = grid.Vertical.Stride,
            StrideWidth = grid.Horizontal.Stride,
            DilationHeight = grid.Vertical.Dilation,
            DilationWidth = grid.Horizontal.Dilation,
            PadTop = grid.Vertical.Before,
            PadLeft = grid.Horizontal.Before,
            Groups = groups,
            ChannelsLast = ChannelsLast,
        };
    }

    private Shape WeightShape(int channels)
    {
        (int filters, int groups) = Sizes(channels);
        Size2d kernel = Window.Kernel;
        return Dimensions == 1 ? Shape.Of(filters, channels / groups, kernel.Width) : Shape.Of(filters, channels / groups, kernel.Height, kernel.Width);
    }

    /// <summary>
    /// As for a dense layer with fan-in channels/groups · kernel: q' = fan_in · E[w²] · E[x²] + Var(b), where the elements of
    /// a window that lie inside the image count, so that the mean square falls off towards the borders. Xiao et al. (2018),
    /// equation 2. Two standardized weights of a filter have the correlation −1/(n − 1), so the mean of x counts at the edges
    /// only.
    /// </summary>
    private Moments Propagate(MomentScope scope)
    {
        (Moments x, Moments weight) = (OnGrid(scope, scope.Inputs[0]), scope.Inputs[1]);
        Moments bias = Bias ? scope.Inputs[2] : default;
        ConvolutionMoments taps = Taps(scope);
        double channels = Geometry(scope.Node.Inputs[0].Shape.Bind(1)).GroupIn;
        double fanIn = channels * taps.TermsPerOutput(x.Positions);
        double mean = Standardizes ? bias.Mean : fanIn * weight.Mean * x.Mean + bias.Mean;
        double spread = Standardizes ? fanIn * Second(scope) : fanIn * weight.Variance + fanIn * fanIn * weight.Mean * weight.Mean;
        double center = Standardizes ? (fanIn - 1) / Math.Max(1, Full(scope) - 1) * x.Mean * x.Mean : 0;
        double pairs = taps.PairsOfOutputs(x.Positions);
        PositionMoments? positions = x.Positions is { } all && all.Axes.Length == Dimensions
            ? taps.Gathered(scope.Node.Outputs[0].Shape, all)
            : PositionMoments.Flat(scope.Node.Outputs[0].Shape, PositionAxes, 1, 1);
        return Fathom.Graphs.Moments.Of(mean, spread * (x.SecondMoment - center) + bias.SecondMoment, positions,
            pair => (pair == MomentPair.Samples ? 1 : pairs) * spread * (x.Product(pair) - center) + bias.SecondMoment);
    }

    /// <summary>
    /// What came before, a reshape of plain units for one, need not know which axes a convolution takes for its image: then the
    /// positions have the same in common along the right ones.
    /// </summary>
    private Moments OnGrid(MomentScope scope, Moments x) => x.Positions is { } other && !other.Axes.AsSpan().SequenceEqual(PositionAxes.AsSpan())
        ? x with { Positions = PositionMoments.Flat(scope.Node.Inputs[0].Shape, PositionAxes, other.Correlation, other.AcrossSamples) }
        : x;

    private ImmutableArray<int> PositionAxes => [.. Enumerable.Range(ChannelsLast ? 1 : 2, Dimensions)];

    /// <summary>Each input element gathers from every output that it is part of: the same products, shared out over the inputs.</summary>
    private double PullBack(MomentScope scope, int input) => input == 0 ? FiltersPerGroup(scope) * Taps(scope).TermsPerInput(null) * Second(scope) : double.NaN;

    private Moments PullBack(GradientMomentScope scope, int input)
    {
        (Moments upstream, Moments x) = (scope.Upstream, OnGrid(scope.Forward, Standardizes ? scope.Inputs[0].Centered() : scope.Inputs[0]));
        ConvolutionMoments taps = Taps(scope.Forward);
        if (input == 0)
        {
            double pairs = taps.PairsOfInputs(upstream.Positions);
            double factor = FiltersPerGroup(scope.Forward) * taps.TermsPerInput(upstream.Positions) * Second(scope.Forward);
            PositionMoments? positions = upstream.Positions is { } own && own.Axes.Length == Dimensions ? taps.Scattered(own) : upstream.Positions;
            return Fathom.Graphs.Moments.Of(0, factor, positions, pair => factor * upstream.CorrelationOf(pair) * (pair == MomentPair.Samples ? 1 : pairs));
        }
        double uses = scope.UsesOf(scope.Node.Inputs[1].Shape[0].Size);
        if (input == 2)
        {
            return new Moments(0, uses * scope.Coherence(new Moments(1, 1, 1)), 0);
        }
        // What hangs over the border is 0.
        double coherence = scope.Coherence(x, taps.Meet(x.Positions, upstream.Positions), taps.MeetInPairs(x.Positions, upstream.Positions));
        double standardized = Standardizes ? StandardizedWeight.GradientFactor(WeightStandardization, scope.Inputs[1].Variance, Full(scope.Forward)) : 1;
        return new Moments(0, uses * x.SecondMoment * coherence * standardized, 0);
    }

    private double FiltersPerGroup(MomentScope scope) => Geometry(scope.Node.Inputs[0].Shape.Bind(1)).GroupOut;

    /// <summary>Mean square of a weight as it is read.</summary>
    private double Second(MomentScope scope) => Standardizes
        ? StandardizedWeight.SecondMoment(WeightStandardization, scope.Inputs[1].Variance, Full(scope))
        : scope.Inputs[1].SecondMoment;

    /// <summary>Weights of one filter.</summary>
    private static double Full(MomentScope scope) => scope.Node.Inputs[1].Shape.ElementsPerSample / (double)scope.Node.Inputs[1].Shape[0].Size;

    private ConvolutionMoments Taps(MomentScope scope)
    {
        ConvolutionShape shape = Geometry(scope.Node.Inputs[0].Shape.Bind(1));
        return new ConvolutionMoments(
            new ConvolutionTaps(shape.InHeight, shape.OutHeight, shape.KernelHeight, shape.StrideHeight, shape.DilationHeight, shape.PadTop),
            new ConvolutionTaps(shape.InWidth, shape.OutWidth, shape.KernelWidth, shape.StrideWidth, shape.DilationWidth, shape.PadLeft));
    }
}

/// <summary>dx of a convolution. Inputs: dy, weight. Output: dx.</summary>
public sealed record ConvolutionInputGradient(ConvolutionOp Forward, Shape Target) : Op
{
    public override string Kind => $"{Forward.Kind}_input_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Target)];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        Convolution.ScratchElements(Forward.Geometry(outputShapes[0]));

    public override void Run<T>(in KernelContext<T> context) =>
        Convolution.InputGradient(Forward.Geometry(context.OutputShape(0)), context.Input(0), context.Input(1), context.Output(0), context.Scratch, context.Pool);
}

/// <summary>dweight of a convolution. Inputs: dy, x. Output: dweight.</summary>
public sealed record ConvolutionWeightGradient(ConvolutionOp Forward, Shape Target) : Op
{
    public override string Kind => $"{Forward.Kind}_weight_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Target)];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        Convolution.WeightGradientScratchElements(Forward.Geometry(inputShapes[1]));

    public override void Run<T>(in KernelContext<T> context) =>
        Convolution.WeightGradient(Forward.Geometry(context.InputShape(1)), context.Input(1), context.Input(0), context.Output(0), context.Scratch, context.Pool);
}
