using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>Joins the theory over time to the sweeps over the graph.</summary>
internal static class RecurrentSweep
{
    /// <summary>The moments of a layer's outputs; null if there is no theory for its weights.</summary>
    public static NodePrediction? Forward(Node node, Moments[] inputs)
    {
        if (RecurrentTheory.Of(node, inputs) is not { } theory)
        {
            return null;
        }
        StepMoments[] steps = theory.States[1..];
        StepMoments last = steps[^1];
        double square = steps.Average(step => step.Square);
        Moments sequence = new(theory.Mean, square, Share(steps.Average(step => step.OverSamples)))
        {
            Positions = OverTime(node, [.. steps.Select(step => step.Square)], Share(OverPairs(steps, step => step.OverTime)), Share(OverPairs(steps, step => step.OverBoth))),
        };
        Moments state = new(theory.Mean, last.Square, last.Square > 0 ? Math.Clamp(last.OverSamples / last.Square, -1, 1) : 1);
        Moments cell = theory.Cells is { } cells ? new Moments(0, cells[^1], state.Correlation) : state;
        ImmutableArray<Moments> outputs = [.. Enumerable.Range(0, node.Outputs.Length).Select(output => output switch { 0 => sequence, 2 when theory.Cells is not null => cell, _ => state })];
        double[] factors = [.. node.Inputs.Select(_ => double.NaN)];
        RecurrentBackward back = theory.Backward(new TimeGradient([.. Enumerable.Repeat(1.0, steps.Length)], 0, 0), 1);
        factors[0] = node.Inputs[0].Type.Kind == ElementKind.Real ? back.Inputs.Average() : double.NaN;
        return new NodePrediction(node, PredictionSource.Rule, outputs, [.. factors], null) { OverTime = theory };

        double Share(double product) => square > 0 ? Math.Clamp(product / square, -1, 1) : 1;
    }

    /// <summary>What the layer passes back, in units of the mean square of what arrives at y; and the prediction that goes with it.</summary>
    /// <param name="prediction">The layer's node.</param>
    /// <param name="upstream">What arrives, in units of its mean over the steps.</param>
    /// <param name="log10MeanSquare">log10 of that mean.</param>
    /// <param name="batch">Samples of a batch.</param>
    public static (RecurrentBackward Back, RecurrentPrediction Prediction) Backward(NodePrediction prediction, TimeGradient upstream, double log10MeanSquare, int batch)
    {
        RecurrentTheory theory = prediction.OverTime!;
        RecurrentBackward back = theory.Backward(upstream, batch);
        double[] last = theory.Backward(TimeGradient.AtLast(upstream.Squares.Length), 1).States;
        double[] all = theory.Backward(new TimeGradient([.. Enumerable.Repeat(1.0, upstream.Squares.Length)], 0, 0), 1).States;
        return (back, new RecurrentPrediction(prediction.Node, [.. theory.States[1..].Select(step => step.Square)], Decades(back.States, log10MeanSquare),
            Decades(last, -Math.Log10(last[^1])), Decades(all, -Math.Log10(all[^1])), theory.Carry));
    }

    /// <summary>Mean over all pairs of steps of what each step has in common with those before it.</summary>
    private static double OverPairs(StepMoments[] steps, Func<StepMoments, double> product) =>
        steps.Length < 2 ? product(steps[0]) : Enumerable.Range(0, steps.Length).Sum(t => t * product(steps[t])) * 2 / (steps.Length * (steps.Length - 1.0));

    private static ImmutableArray<double> Decades(double[] squares, double add) => [.. squares.Select(square => 0.5 * (Math.Log10(square) + add))];

    /// <summary>What arrives over time, in units of its mean over the steps.</summary>
    /// <param name="node">The layer.</param>
    /// <param name="outputs">The gradient at each output; null where none arrives.</param>
    /// <param name="total">All together, as if it were spread over y.</param>
    public static TimeGradient Arriving(Node node, GradientMoments?[] outputs, GradientMoments total)
    {
        int steps = node.Inputs[0].Shape[1].Size;
        double[] squares = new double[steps];
        double overTime = 0;
        for (int output = 0; output < outputs.Length; output++)
        {
            if (outputs[output] is not { Exists: true } gradient)
            {
                continue;
            }
            double size = Math.Pow(10, gradient.Log10MeanSquare - total.Log10MeanSquare);
            if (output > 0)
            {
                squares[^1] += size;
                continue;
            }
            double[] profile = [.. gradient.Positions?.Profiles is [{ Length: var length } only] && length == steps ? only : Enumerable.Repeat(1.0, steps)];
            double roots = profile.Sum(Math.Sqrt), pairs = roots * roots - steps;
            overTime = pairs > 1e-9 && gradient.Positions is { } positions ? Math.Clamp(positions.Correlation * steps * (steps - 1) / pairs, 0, 1) : 0;
            Order(node, profile);
            for (int t = 0; t < steps; t++)
            {
                squares[t] += size * profile[t];
            }
        }
        return new TimeGradient(squares, overTime, total.Correlation);
    }

    /// <summary>The factor of the gradient's mean square at each input that has one; of y's mean over the steps.</summary>
    public static IEnumerable<(int Input, double Factor)> Factors(Node node, RecurrentBackward back)
    {
        RecurrentInputs places = RecurrentInputs.Of((RecurrentLayer)node.Op, node.Inputs.Length);
        (int Input, double Factor)[] factors =
        [
            (0, back.Inputs.Average()), (places.H0, back.InitialState), (places.C0, back.InitialCell),
            (places.WeightIh, back.Weights[0]), (places.WeightHh, back.Weights[1]), (places.BiasIh, back.Weights[2]), (places.BiasHh, back.Weights[3]),
        ];
        return factors.Where(factor => factor.Input >= 0);
    }

    /// <summary>How the gradient by x is spread over time.</summary>
    public static PositionMoments Positions(Node node, RecurrentBackward back) => OverTime(node, back.Inputs, back.InputOverTime, back.InputOverTime * back.OverSamples);

    private static PositionMoments OverTime(Node node, double[] squares, double correlation, double across)
    {
        double[] profile = [.. squares];
        Order(node, profile);
        return PositionMoments.Of([1], [[.. profile]], Math.Clamp(correlation, -1, 1), Math.Clamp(across, -1, 1));
    }

    /// <summary>From the order of time to that of reading, or back.</summary>
    private static void Order(Node node, double[] steps)
    {
        if (((RecurrentLayer)node.Op).Reverse)
        {
            Array.Reverse(steps);
        }
    }
}
