using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>Second moments of what enters or leaves a recurrent layer at one time step, per element.</summary>
/// <param name="Square">E[x²].</param>
/// <param name="OverTime">E[x_t x_s] for another time step; a mean over them.</param>
/// <param name="OverSamples">E[x_a x_b] for another sample.</param>
/// <param name="OverBoth">The same for another sample and another time step.</param>
internal readonly record struct StepMoments(double Square, double OverTime, double OverSamples, double OverBoth);

/// <summary>What the theory of a recurrent layer starts from.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Steps">Time steps T.</param>
/// <param name="Features">Elements of x at one step.</param>
/// <param name="Input">Moments of x, means over the steps.</param>
/// <param name="Shares">E[x²] at each step in the order of reading, over its mean.</param>
/// <param name="InputWeight">E[w²] of weight_ih.</param>
/// <param name="StateWeight">E[w²] of weight_hh.</param>
/// <param name="InitialState">E[h²] of the state that the sequence starts from; 0 without one.</param>
/// <param name="InitialCell">The same of the cell.</param>
/// <param name="InputBias">bias_ih, or null.</param>
/// <param name="StateBias">bias_hh, or null.</param>
internal sealed record RecurrentSetting(RecurrentLayer Layer, int Steps, int Features, StepMoments Input, double[] Shares, double InputWeight, double StateWeight,
    double InitialState, double InitialCell, Parameter? InputBias, Parameter? StateBias)
{
    public int Units => Layer.Units;

    /// <summary>units · E[w²] of weight_hh: σw² forward, and back for each gate.</summary>
    public double StateGain => Units * StateWeight;

    /// <summary>
    /// The setting of a node; null if its recurrent weights do not mix the units as random ones do (identity, constants), so
    /// that the mean-field equations do not hold.
    /// </summary>
    public static RecurrentSetting? Of(Node node, Moments[] inputs)
    {
        RecurrentLayer layer = (RecurrentLayer)node.Op;
        RecurrentInputs places = RecurrentInputs.Of(layer, node.Inputs.Length);
        if (node.Inputs[places.WeightHh].Node.Op is not Parameter { Initializer: { } initializer } || initializer is IdentityInitializer
            || inputs[places.WeightHh].Variance < 0.9 * inputs[places.WeightHh].SecondMoment)
        {
            return null;
        }
        Shape x = node.Inputs[0].Shape;
        return new RecurrentSetting(layer, x[1].Size, x[2].Size, OfData(inputs[0]), OfSteps(layer, inputs[0], x[1].Size), inputs[places.WeightIh].SecondMoment, inputs[places.WeightHh].SecondMoment,
            Second(places.H0), Second(places.C0), ParameterAt(places.BiasIh), ParameterAt(places.BiasHh));

        double Second(int input) => input < 0 ? 0 : inputs[input].SecondMoment;

        Parameter? ParameterAt(int input) => input < 0 ? null : node.Inputs[input].Node.Op as Parameter;
    }

    /// <summary>Mean and variance over units of a gate's bias, both vectors together.</summary>
    /// <param name="gate">Number of the gate, in the order of the layer's rows.</param>
    /// <param name="state">Whether bias_hh counts.</param>
    /// <param name="input">Whether bias_ih counts.</param>
    public (double Mean, double Variance) Bias(int gate, bool input = true, bool state = true)
    {
        (double mean, double variance) = (0, 0);
        foreach (Parameter bias in new[] { input ? InputBias : null, state ? StateBias : null }.OfType<Parameter>())
        {
            if (bias.Initializer is ForgetGateBias forget)
            {
                mean += gate == LstmTheory.ForgetGate ? forget.Number : 0;
            }
            else
            {
                mean += bias.Initializer.Mean;
                variance += bias.Initializer.Variance(bias.Fans);
            }
        }
        return (mean, variance);
    }

    /// <summary>u = W_ih·x + W_hh·h + b of one gate; a bias's variance stays over time and is common to all samples.</summary>
    /// <param name="step">The step.</param>
    /// <param name="bias">Mean and variance of the bias.</param>
    /// <param name="state">Moments of h before the step.</param>
    /// <param name="scale">What multiplies the part of the state, such as E[r²] of a reset gate; and the same for pairs.</param>
    public PreActivation PreActivation(int step, (double Mean, double Variance) bias, StepMoments state, StepMoments? scale = null)
    {
        double fan = Features * InputWeight * Shares[step];
        (double square, double time, double samples, double both) = scale ?? new StepMoments(1, 1, 1, 1);
        return new PreActivation(bias.Mean,
            fan * Input.Square + StateGain * square * state.Square + bias.Variance,
            fan * Input.OverTime + StateGain * time * state.OverTime + bias.Variance,
            fan * Input.OverSamples + StateGain * samples * state.OverSamples + bias.Variance,
            fan * Input.OverBoth + StateGain * both * state.OverBoth + bias.Variance);
    }

    private static StepMoments OfData(Moments x)
    {
        bool known = x.Positions is not null;
        double samples = x.SecondMoment * x.Correlation, common = x.Mean * x.Mean;
        return new StepMoments(x.SecondMoment, known ? x.Product(MomentPair.Positions) : common, samples, known ? x.Product(MomentPair.Both) : Math.Min(common, samples));
    }

    private static double[] OfSteps(RecurrentLayer layer, Moments x, int steps)
    {
        double[] shares = [.. x.Positions?.Profiles is [{ Length: var length } only] && length == steps ? only : Enumerable.Repeat(1.0, steps)];
        if (layer.Reverse)
        {
            Array.Reverse(shares);
        }
        return shares;
    }
}

/// <summary>The gradient that arrives at the outputs of a recurrent layer, by step in the order of reading.</summary>
/// <param name="Squares">Mean square of its elements at each step.</param>
/// <param name="OverTime">Correlation of two steps' gradients: 1 if a mean over time reads them, 0 if each goes its own way.</param>
/// <param name="OverSamples">Correlation of two samples' gradients.</param>
internal sealed record TimeGradient(double[] Squares, double OverTime, double OverSamples)
{
    /// <summary>A gradient of mean square 1 at the last step alone.</summary>
    public static TimeGradient AtLast(int steps) => new([.. Enumerable.Range(1, steps).Select(step => step == steps ? 1.0 : 0)], 0, 0);
}

/// <summary>What a recurrent layer passes back.</summary>
/// <param name="States">Mean square of the total gradient by the state after each step, in the order of reading.</param>
/// <param name="Inputs">The same by x.</param>
/// <param name="InputOverTime">Correlation of two steps' gradients by x.</param>
/// <param name="OverSamples">Correlation of two samples' gradients by x.</param>
/// <param name="InitialState">Mean square of the gradient by the state that the sequence starts from.</param>
/// <param name="InitialCell">The same of the cell.</param>
/// <param name="Weights">Mean square of the gradients of weight_ih, weight_hh, bias_ih and bias_hh, summed over the batch.</param>
internal sealed record RecurrentBackward(double[] States, double[] Inputs, double InputOverTime, double OverSamples, double InitialState, double InitialCell, double[] Weights);
