using System.Numerics;
using System.Runtime.InteropServices;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>A NaN or an infinity in the data: one batch with it, and every weight is NaN.</summary>
public sealed class NonFiniteData : AuditRule
{
    private const string Effect = "The first batch that holds one makes every weight NaN.";

    public override string Id => "FTH016";

    public override string Problem => "data that are no numbers";

    public override string Threshold => "the first NaN or infinity among the inputs or targets of the training or validation rows";

    public override string Cause => Causes.Numerical;

    public override Finding? Inspect(AuditScope scope) => scope.Data is not { } data ? null
        : OfInputs(scope, data.Training, scope.FirstBadInput ?? -1) ?? OfTargets(data.Training) ?? OfInputs(scope, data.Validation, First(data.Validation.Inputs)) ?? OfTargets(data.Validation);

    /// <summary>Position of the first value that is no number; −1 if all are.</summary>
    internal static int First(ReadOnlySpan<float> values)
    {
        // The exponent's bits are all set for infinities and NaNs, and for nothing else.
        Vector<uint> exponent = new(0x7F800000u);
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        int i = 0;
        int width = Vector<uint>.Count;
        for (; i + 4 * width <= bits.Length; i += 4 * width)
        {
            ReadOnlySpan<uint> next = bits.Slice(i, 4 * width);
            Vector<uint> found = Vector.Equals(new Vector<uint>(next) & exponent, exponent) | Vector.Equals(new Vector<uint>(next[width..]) & exponent, exponent)
                | Vector.Equals(new Vector<uint>(next[(2 * width)..]) & exponent, exponent) | Vector.Equals(new Vector<uint>(next[(3 * width)..]) & exponent, exponent);
            if (found != Vector<uint>.Zero)
            {
                break;
            }
        }
        for (; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                return i;
            }
        }
        return -1;
    }

    private Finding? OfInputs(AuditScope scope, DataSet rows, int first)
    {
        if (first < 0)
        {
            return null;
        }
        int count = CountBad(rows.Inputs[first..]), feature = first % rows.Features;
        return Found(Severity.Error, $"'{rows.Name}' has {Count(count, "input that is no number", "inputs that are no numbers")} (none is allowed): row {first / rows.Features + 1}, {scope.FeatureName(feature)} is {Number(rows.Inputs[first])}.",
            "Fill in what is missing, or leave the rows out.", [("non_finite_inputs", count, 0)], scope.FirstLayers, confidence: 0.99, details: Effect) with { IsFinal = true };
    }

    private Finding? OfTargets(DataSet rows)
    {
        if (rows.Kind != TargetKind.Real || First(rows.Targets) is not (>= 0 and int first))
        {
            return null;
        }
        int count = CountBad(rows.Targets[first..]);
        return Found(Severity.Error, $"'{rows.Name}' has {Count(count, "target that is no number", "targets that are no numbers")} (none is allowed): in row {first / rows.TargetWidth + 1} the target is {Number(rows.Targets[first])}.",
            "Leave the rows out.", [("non_finite_targets", count, 0)], confidence: 0.99, details: Effect) with { IsFinal = true };
    }

    private static int CountBad(ReadOnlySpan<float> values)
    {
        int count = 0;
        foreach (float value in values)
        {
            count += float.IsFinite(value) ? 0 : 1;
        }
        return count;
    }
}
