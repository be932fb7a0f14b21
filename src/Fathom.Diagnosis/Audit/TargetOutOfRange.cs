using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Targets that the output can never give, or that the loss is not made for.</summary>
public sealed class TargetOutOfRange : AuditRule
{
    private const int MostTargets = 200_000;

    /// <summary>Share of the targets' variance that is out of reach from which on the fit is spoilt.</summary>
    private const double OutOfReach = 0.1;

    /// <summary>Rounding of targets that were scaled to a range.</summary>
    private const double Tolerance = 1e-4;

    internal const string RuleId = "FTH012";

    /// <summary>Evidence: the best R² that the output's range allows.</summary>
    internal const string BestFit = "best_r2";

    public override string Id => RuleId;

    public override string Problem => "targets out of range";

    public override string Threshold => "a target outside the values that the output's function can take (an error if 10 % of the targets' variance or more is out of reach: R² stays below 0.9), or outside those that the loss is defined for (0 to 1 for cross-entropies, −1 and 1 for hinge)";

    public override string Cause => Causes.WrongOutputOrLoss;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Kind: TargetKind.Real, Count: > 0 } rows)
        {
            return null;
        }
        double[] targets = Sample(rows);
        return targets.Length == 0 ? null : OfLoss(scope, rows, targets) ?? OfOutput(scope, rows, targets);
    }

    /// <summary>Every n-th finite target.</summary>
    private static double[] Sample(DataSet rows)
    {
        ReadOnlySpan<float> all = rows.Targets;
        int step = Math.Max(1, all.Length / MostTargets);
        List<double> sample = new(all.Length / step + 1);
        for (int i = 0; i < all.Length; i += step)
        {
            if (float.IsFinite(all[i]))
            {
                sample.Add(all[i]);
            }
        }
        return [.. sample];
    }

    private Finding? OfLoss(AuditScope scope, DataSet rows, double[] targets)
    {
        Loss loss = scope.Model.Plan.Loss;
        if (loss is Hinge)
        {
            double others = targets.Count(target => Math.Abs(Math.Abs(target) - 1) > Tolerance) / (double)targets.Length;
            return others == 0 ? null : Found(Severity.Error, $"{Percent(others)} of the targets of '{rows.Name}' are neither -1 nor 1, the only values that the loss hinge is defined for (none is allowed).",
                "Write the classes as -1 and 1.", [("share_out_of_range", others, 0)], [scope.Output.Name], details: "A target of 0 gives no gradient at all.");
        }
        if (loss is not (BinaryCrossEntropy or CrossEntropy or KullbackLeibler or Margin))
        {
            return null;
        }
        (double least, double most) = (targets.Min(), targets.Max());
        return least >= -Tolerance && most <= 1 + Tolerance ? null
            : Found(Severity.Error, $"The targets of '{rows.Name}' go from {Number(least)} to {Number(most)}, but the loss {loss.Kind} takes shares from 0 to 1.",
                "Scale the targets to 0 to 1, or take mse.", [("least_target", least, 0), ("most_target", most, 1)], [scope.Output.Name], ["loss"], details: "Beyond 0 and 1 the loss has no minimum: it falls without end.");
    }

    private Finding? OfOutput(AuditScope scope, DataSet rows, double[] targets)
    {
        if (Range(scope.Output.Op) is not { } range)
        {
            return null;
        }
        double mean = targets.Average(), variance = targets.Average(target => (target - mean) * (target - mean));
        double slack = Tolerance * (double.IsInfinity(range.Low) ? 1 : Math.Max(1, Math.Abs(range.Low)));
        double missed = targets.Average(target => Square(Math.Max(0, range.Low - target - slack) + Math.Max(0, target - range.High - slack)));
        if (missed == 0)
        {
            return null;
        }
        double share = targets.Count(target => target < range.Low - slack || target > range.High + slack) / (double)targets.Length;
        double best = variance > 0 ? 1 - missed / variance : 0;
        string limits = double.IsInfinity(range.High) ? $"nothing below {Number(range.Low)}" : double.IsInfinity(range.Low) ? $"nothing above {Number(range.High)}" : $"only {Number(range.Low)} to {Number(range.High)}";
        return Found(missed >= OutOfReach * variance ? Severity.Error : Severity.Warning,
            $"{scope.Output.Name} ({scope.Output.Op.Kind}) gives {limits}, but {Percent(share)} of the targets of '{rows.Name}' lie outside ({Number(targets.Min())} to {Number(targets.Max())}): no weights can bring R² above {Number(Math.Max(0, best))} (an error below {Number(1 - OutOfReach)}).",
            "End in a linear layer, or scale the targets.",
            [("share_out_of_range", share, 0), (BestFit, best, 1)], [scope.Output.Name], ["output"]);
    }

    /// <summary>Least and greatest value that an output can have; null if any number is possible or nothing is known.</summary>
    internal static (double Low, double High)? Range(Op op)
    {
        switch (op)
        {
            case Softmax or CapsuleLength:
                return (0, 1);
            case LogSoftmax:
                return (double.NegativeInfinity, 0);
            case Activation activation:
                // Far out, where a function with a limit has reached it; and near 0, where GELU and its kin have their minimum.
                double[] values = [.. Enumerable.Range(-4000, 8001).Select(i => activation.Evaluate(i / 200.0)), activation.Evaluate(-1e6), activation.Evaluate(1e6)];
                double low = values.Min() < -1e3 ? double.NegativeInfinity : values.Min(), high = values.Max() > 1e3 ? double.PositiveInfinity : values.Max();
                return double.IsInfinity(low) && double.IsInfinity(high) ? null : (low, high);
            default:
                return null;
        }
    }

    private static double Square(double x) => x * x;
}
