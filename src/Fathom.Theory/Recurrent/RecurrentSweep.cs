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
        Moments sequence = new(theory.Mean, square, square > 0 ? Math.Clamp(steps.Average(step => step.OverSamples) / square, -1, 1) : 1);
        Moments state = new(theory.Mean, last.Square, last.Square > 0 ? Math.Clamp(last.OverSamples / last.Square, -1, 1) : 1);
        Moments cell = theory.Cells is { } cells ? new Moments(0, cells[^1], state.Correlation) : state;
        ImmutableArray<Moments> outputs = [.. Enumerable.Range(0, node.Outputs.Length).Select(output => output switch { 0 => sequence, 2 when theory.Cells is not null => cell, _ => state })];
        double[] factors = [.. node.Inputs.Select(_ => double.NaN)];
        RecurrentBackward back = theory.Backward(new TimeGradient([.. Enumerable.Repeat(1.0, steps.Length)], 0, 0), 1);
        factors[0] = node.Inputs[0].Type.Kind == ElementKind.Real ? back.Inputs.Average() : double.NaN;
        return new NodePrediction(node, PredictionSource.Rule, outputs, [.. factors], null) { OverTime = theory };
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

    private static ImmutableArray<double> Decades(double[] squares, double add) => [.. squares.Select(square => 0.5 * (Math.Log10(square) + add))];

    /// <summary>The gradient that arrives over time, from what reads the layer: one step, a mean over all, or each step by itself.</summary>
    /// <param name="node">The layer.</param>
    /// <param name="readers">Who reads what.</param>
    /// <param name="overSamples">Correlation of two samples' gradients.</param>
    public static TimeGradient Arriving(Node node, LayerReaders readers, double overSamples)
    {
        int steps = node.Inputs[0].Shape[1].Size;
        bool reverse = ((RecurrentLayer)node.Op).Reverse;
        double[] squares = new double[steps];
        double overTime = 0;
        foreach (Node reader in readers.Of(node.Output))
        {
            if (reader.Op is Select { Axis: 1 or -2 } select)
            {
                int index = select.Index < 0 ? select.Index + steps : select.Index;
                squares[reverse ? steps - 1 - index : index] += steps;
                continue;
            }
            overTime = reader.Op is Mean ? 1 : overTime;
            for (int t = 0; t < steps; t++)
            {
                squares[t]++;
            }
        }
        double mean = squares.Average();
        return mean == 0 ? TimeGradient.AtLast(steps) with { Squares = [.. squares.Select((_, t) => t == steps - 1 ? (double)steps : 0)], OverSamples = overSamples }
            : new TimeGradient([.. squares.Select(square => square / mean)], overTime, overSamples);
    }
}
