namespace Fathom.Compute;

/// <summary>
/// Along one axis, what an output reads. Forward, output i reads input i·stride + k·dilation − pad for every k. For the
/// gradient by the input, input a·stride + phase gets from output a + (phase + pad − k·dilation) / stride, for the k for
/// which that is whole: each phase is a convolution with stride 1 and with taps of its own.
/// </summary>
internal readonly struct AxisTaps
{
    private readonly int kernel, stride, dilation, pad;
    private readonly bool transposed;

    private AxisTaps(int kernel, int stride, int dilation, int pad, int length, bool transposed)
    {
        (this.kernel, this.stride, this.dilation, this.pad, this.transposed) = (kernel, stride, dilation, pad, transposed);
        Length = length;
        Phases = transposed ? Math.Min(stride, length) : 1;
        if (!transposed)
        {
            (Least, Most) = (0, (kernel - 1) * dilation);
            return;
        }
        (Least, Most) = (int.MaxValue, int.MinValue);
        for (int phase = 0; phase < Phases; phase++)
        {
            for (int k = 0; k < kernel; k++)
            {
                if (Reads(phase, k))
                {
                    int at = (phase + pad - k * dilation) / stride;
                    (Least, Most) = (Math.Min(Least, at), Math.Max(Most, at));
                }
            }
        }
        if (Least > Most)
        {
            (Least, Most) = (0, 0);
        }
    }

    /// <summary>Elements that are computed along the axis, all phases together.</summary>
    public int Length { get; }

    /// <summary>Kinds of outputs that read differently: output a of phase p is element a·phases + p.</summary>
    public int Phases { get; }

    /// <summary>Distance from an output to the first element that it may read, and to the last.</summary>
    public int Least { get; }

    public int Most { get; }

    public static AxisTaps Forward(int kernel, int dilation, int outputs) => new(kernel, 1, dilation, 0, outputs, transposed: false);

    public static AxisTaps Transposed(int kernel, int stride, int dilation, int pad, int inputs) => new(kernel, stride, dilation, pad, inputs, transposed: true);

    /// <summary>Outputs of a phase.</summary>
    public int Outputs(int phase) => (Length - phase + Step - 1) / Step;

    /// <summary>Distance from an output of a phase to the next one.</summary>
    public int Step => transposed ? stride : 1;

    public bool Reads(int phase, int k) => !transposed || (phase + pad - k * dilation) % stride == 0;

    /// <summary>Distance from the first element that is packed for an output to the one that tap k reads.</summary>
    public int Position(int phase, int k) => transposed ? (phase + pad - k * dilation) / stride - Least : k * dilation;

    /// <summary>Number of taps that a phase reads.</summary>
    public int Count(int phase)
    {
        int count = 0;
        for (int k = 0; k < kernel; k++)
        {
            count += Reads(phase, k) ? 1 : 0;
        }
        return count;
    }
}
