using System.Globalization;
using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Code;

/// <summary>Values as Python expressions.</summary>
internal static class PythonWords
{
    public static string Number(double number) => number switch
    {
        double.PositiveInfinity => "math.inf",
        double.NegativeInfinity => "-math.inf",
        double.NaN => "math.nan",
        _ => number.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e') is var text && text.AsSpan().ContainsAny('.', 'e') ? text : text + ".0",
    };

    public static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    public static string Flag(bool flag) => flag ? "True" : "False";

    public static string Text(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (Rune letter in text.EnumerateRunes())
        {
            quoted.Append(letter.Value is '"' or '\\' ? $"\\{letter}" : Rune.IsControl(letter) || letter.Value > 126 ? $"\\U{letter.Value:x8}" : letter.ToString());
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>One number for a square, or all of them in brackets.</summary>
    public static string Size(IReadOnlyList<int> sizes) => sizes.Distinct().Count() == 1 ? Number(sizes[0]) : Tuple(sizes);

    public static string Tuple(IEnumerable<int> numbers) => numbers.ToArray() is var all && all.Length == 1 ? $"({Number(all[0])},)" : $"({string.Join(", ", all.Select(number => Number(number)))})";

    /// <summary>The arguments that are there.</summary>
    public static string Join(params string?[] arguments) => string.Join(", ", arguments.Where(argument => argument is not null));

    /// <summary>A setting by name, left out where it has the framework's own value.</summary>
    public static string? Unless(bool isDefault, string name, string value) => isDefault ? null : $"{name}={value}";

    public static int[] Features(Shape shape) => [.. shape.Dims.Skip(1).Select(dim => dim.Size)];

    /// <summary>An axis counted from the end, which does not depend on the batch.</summary>
    public static int FromEnd(int axis, Shape shape) => axis < 0 ? axis : axis - shape.Rank;

    public static string Axes(IEnumerable<int> axes, Shape shape) => Tuple(axes.Select(axis => axis < 0 ? axis + shape.Rank : axis));

    /// <summary>The learning rate's factor as a function of <c>step</c>, <c>per_epoch</c> and <c>total</c>; null if it is none.</summary>
    public static string? Factor(Schedule schedule) => schedule switch
    {
        ConstantSchedule => "1.0",
        WarmupSchedule s => $"({Number(s.StartFactor)} + ({Number(s.EndFactor)} - {Number(s.StartFactor)}) * min(step / {Number(s.Steps)}, 1.0))" is var warm
            && s.Then is null ? warm : Factor(s.Then!) is { } then ? $"{warm} * {then}" : null,
        StepSchedule s => $"{Number(s.Gamma)} ** (step // per_epoch // {Number(s.Epochs)})",
        MultiStepSchedule s => $"{Number(s.Gamma)} ** sum(step // per_epoch >= milestone for milestone in {Tuple(s.Milestones)})",
        ExponentialSchedule s => $"{Number(s.Gamma)} ** (step // per_epoch)",
        CosineSchedule { Hold: > 0 } s => $"({Number(s.Floor)} + (1 - {Number(s.Floor)}) * (1 + math.cos(math.pi * {Held(s)})) / 2)",
        CosineSchedule s => $"({Number(s.Floor)} + (1 - {Number(s.Floor)}) * (1 + math.cos(math.pi * step / {(s.Epochs == 0 ? "total" : $"({Number(s.Epochs)} * per_epoch)")})) / 2)",
        KerasExponentialDecay s => $"{Number(s.Rate)} ** (step {(s.Staircase ? "//" : "/")} {Number(s.Steps)})",
        KerasInverseTimeDecay s => $"1 / (1 + {Number(s.Rate)} * (step {(s.Staircase ? "//" : "/")} {Number(s.Steps)}))",
        _ => null,
    };

    /// <summary>How far a fall has come that begins after a share of its time.</summary>
    private static string Held(CosineSchedule fall)
    {
        string end = fall.Epochs == 0 ? "total" : $"({Number(fall.Epochs)} * per_epoch)", held = $"math.floor({Number(fall.Hold)} * {end})";
        return $"max(0, step - {held}) / ({end} - {held})";
    }
}

/// <summary>Where a kernel's window lies: for each axis of space its size, stride, dilation, and what is added before and after.</summary>
internal sealed record CodeWindow(int[] Kernel, int[] Stride, int[] Dilation, int[] Before, int[] After, bool IsSame, bool ChannelsLast)
{
    public bool IsPadded => Before.Concat(After).Any(extent => extent > 0);

    public bool IsEven => Before.SequenceEqual(After);

    /// <summary>Null for an op without a window.</summary>
    public static CodeWindow? Of(Node node) => node.Op switch
    {
        Conv1d op => Of(node, [op.Kernel], [op.Stride], [op.Dilation], op.Padding, op.ChannelsLast),
        Conv2d op => Of(node, Two(op.Kernel), Two(op.Stride), Two(op.Dilation), op.Padding, op.ChannelsLast),
        DepthwiseConv2d op => Of(node, Two(op.Kernel), Two(op.Stride), Two(op.Dilation), op.Padding, op.ChannelsLast),
        MaxPool1d op => Of(node, [op.Kernel], [op.Stride ?? op.Kernel], [op.Dilation], op.Padding, op.ChannelsLast),
        MaxPool2d op => Of(node, Two(op.Kernel), Two(op.Stride ?? op.Kernel), Two(op.Dilation), op.Padding, op.ChannelsLast),
        AvgPool1d op => Of(node, [op.Kernel], [op.Stride ?? op.Kernel], [1], op.Padding, op.ChannelsLast),
        AvgPool2d op => Of(node, Two(op.Kernel), Two(op.Stride ?? op.Kernel), [1, 1], op.Padding, op.ChannelsLast),
        _ => null,
    };

    private static int[] Two(Size2d size) => [size.Height, size.Width];

    private static CodeWindow Of(Node node, int[] kernel, int[] stride, int[] dilation, Padding padding, bool channelsLast)
    {
        int[] before = kernel.Length == 1 ? [padding.Width] : [padding.Height, padding.Width], after = [.. before];
        int[] extents = PythonWords.Features(node.Inputs[0].Shape);
        for (int axis = 0; padding.IsSame && axis < kernel.Length; axis++)
        {
            int extent = extents[channelsLast ? axis : axis + 1], output = (extent + stride[axis] - 1) / stride[axis];
            int total = Math.Max(0, (output - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 - extent);
            (before[axis], after[axis]) = (total / 2, total - total / 2);
        }
        return new CodeWindow(kernel, stride, dilation, before, after, padding.IsSame, channelsLast);
    }
}
