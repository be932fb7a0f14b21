using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Blocks;

/// <summary>What a recurrent block is made of.</summary>
public enum RecurrentCell
{
    Rnn,
    Lstm,
    Gru,
}

/// <summary>
/// Several recurrent layers, one on top of the other, in one direction or in both: nodes <c>name.0</c>, <c>name.1</c>, … and
/// <c>name.0.reverse</c>, … with parameters named as in PyTorch (<c>name.weight_ih_l0</c>, <c>name.weight_ih_l0_reverse</c>).
/// Both directions of a layer stand side by side in the features (Schuster and Paliwal 1997). Inputs x (N, T, in), then a
/// mask (N, T) if masked. Output (N, T, units) or (N, T, 2·units); or without T, if sequences are not returned: what each
/// direction of the last layer has after its last step.
/// </summary>
/// <param name="Units">Size of the state of each layer and direction.</param>
/// <param name="Cell">rnn, lstm or gru.</param>
/// <param name="Layers">How many layers.</param>
/// <param name="Bidirectional">Whether each layer also reads the sequence from its end.</param>
/// <param name="Dropout">Dropout between layers, none after the last.</param>
/// <param name="ReturnSequences">Whether the output has every step.</param>
/// <param name="Activation">The function of an rnn.</param>
/// <param name="ResetAfter">For gru: whether the reset gate acts after the matrix product.</param>
/// <param name="Bias">Whether there are biases.</param>
/// <param name="RecurrentBias">Whether there is a second bias, as in PyTorch; Keras has one.</param>
/// <param name="Masked">Whether a mask follows x: 1 for a step that counts, 0 for padding.</param>
/// <param name="Truncate">0 for back-propagation through all of time; k cuts the gradient of the state before every k-th step.</param>
public sealed record Recurrent(int Units, RecurrentCell Cell = RecurrentCell.Lstm, int Layers = 1, bool Bidirectional = false, double Dropout = 0,
    bool ReturnSequences = true, RecurrentActivation Activation = RecurrentActivation.Tanh, bool ResetAfter = true, bool Bias = true,
    bool RecurrentBias = true, bool Masked = false, int Truncate = 0) : Block
{
    public override string Kind => "recurrent";

    public override Value Expand(BlockScope scope)
    {
        if (Layers < 1)
        {
            throw scope.BadAttribute("layers", Layers, "1 or more");
        }
        if (!(Dropout >= 0 && Dropout < 1))
        {
            throw scope.BadAttribute("dropout", Dropout, "from 0 to below 1");
        }
        scope.RequireCount(Masked ? 2 : 1);
        Value x = scope.Inputs[0];
        for (int layer = 0; layer < Layers; layer++)
        {
            if (layer > 0 && Dropout > 0)
            {
                x = scope.Layer(new Dropout(Dropout), $"{layer - 1}.dropout", [x]);
            }
            bool whole = ReturnSequences || layer < Layers - 1;
            Value forward = Direction(scope, x, layer, reverse: false, whole);
            x = Bidirectional
                ? scope.Layer(new Concat(), $"{layer}.both", [forward, Direction(scope, x, layer, reverse: true, whole)])
                : forward;
        }
        return x;
    }

    private Value Direction(BlockScope scope, Value x, int layer, bool reverse, bool whole)
    {
        RecurrentLayer op = Op(reverse);
        string part = reverse ? $"{layer}.reverse" : $"{layer}";
        Dictionary<string, string> parameters = op.Slots([x.Type]).ToDictionary(slot => slot.Name, slot => $"{scope.Name}.{slot.Name}_l{layer}{(reverse ? "_reverse" : "")}");
        Value y = scope.Layer(op, part, [x, .. scope.Inputs[1..]], parameters: parameters);
        // Padding repeats the state, so y at the end of time (or its beginning) is the state after each sequence's own last step.
        return whole ? y : scope.Layer(new Select(reverse ? 0 : -1), $"{part}.last", [y]);
    }

    private RecurrentLayer Op(bool reverse) => Cell switch
    {
        RecurrentCell.Rnn => new Rnn(Units, Activation, Bias, RecurrentBias, reverse, Masked, Truncate),
        RecurrentCell.Gru => new Gru(Units, ResetAfter, Bias, RecurrentBias, reverse, Masked, Truncate),
        _ => new Lstm(Units, Bias, RecurrentBias, reverse, Masked, Truncate),
    };
}

/// <summary>The verb of <see cref="Recurrent"/>.</summary>
public static class RecurrentBlock
{
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="block">The layers; whether there is a mask is said by the next parameter.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="initializers">Initializers by parameter, such as weight_hh_l0 or bias_ih_l1_reverse.</param>
    /// <param name="name">Name with which the names of the nodes begin.</param>
    public static NetworkCursor Recurrent(this NetworkCursor network, Recurrent block, NetworkCursor? mask = null, IReadOnlyDictionary<string, Initializer>? initializers = null, string? name = null) =>
        network.Then(block with { Masked = mask is not null }, name, initializers, mask is null ? [] : [mask]);

    /// <summary>An LSTM of several layers, one of both directions, or both.</summary>
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="units">Size of the state of each layer and direction.</param>
    /// <param name="layers">How many layers.</param>
    /// <param name="bidirectional">Whether each layer also reads the sequence from its end.</param>
    /// <param name="dropout">Dropout between layers.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="name">Name with which the names of the nodes begin.</param>
    public static NetworkCursor Lstm(this NetworkCursor network, int units, int layers, bool bidirectional = false, double dropout = 0, NetworkCursor? mask = null, string? name = null) =>
        network.Recurrent(new Recurrent(units, RecurrentCell.Lstm, layers, bidirectional, dropout), mask, name: name);

    /// <summary>A GRU of several layers, one of both directions, or both.</summary>
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="units">Size of the state of each layer and direction.</param>
    /// <param name="layers">How many layers.</param>
    /// <param name="bidirectional">Whether each layer also reads the sequence from its end.</param>
    /// <param name="dropout">Dropout between layers.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="name">Name with which the names of the nodes begin.</param>
    public static NetworkCursor Gru(this NetworkCursor network, int units, int layers, bool bidirectional = false, double dropout = 0, NetworkCursor? mask = null, string? name = null) =>
        network.Recurrent(new Recurrent(units, RecurrentCell.Gru, layers, bidirectional, dropout), mask, name: name);

    /// <summary>A plain recurrent network of several layers, one of both directions, or both.</summary>
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="units">Size of the state of each layer and direction.</param>
    /// <param name="layers">How many layers.</param>
    /// <param name="bidirectional">Whether each layer also reads the sequence from its end.</param>
    /// <param name="dropout">Dropout between layers.</param>
    /// <param name="activation">The function.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="name">Name with which the names of the nodes begin.</param>
    public static NetworkCursor Rnn(this NetworkCursor network, int units, int layers, bool bidirectional = false, double dropout = 0, RecurrentActivation activation = RecurrentActivation.Tanh, NetworkCursor? mask = null, string? name = null) =>
        network.Recurrent(new Recurrent(units, RecurrentCell.Rnn, layers, bidirectional, dropout, Activation: activation), mask, name: name);
}
