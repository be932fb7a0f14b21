using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Blocks;

/// <summary>Where a transformer block normalizes.</summary>
public enum NormPosition
{
    /// <summary>Before each part, inside the residual connection: y = x + F(norm(x)). Trains deep without warm-up. Xiong et al. (2020).</summary>
    Pre,

    /// <summary>After each sum: y = norm(x + F(x)), as Vaswani et al. (2017) did. Needs warm-up once it is deep.</summary>
    Post,
}

/// <summary>The normalization of a transformer block.</summary>
public enum TransformerNorm
{
    Layer,
    Rms,
}

/// <summary>The activation between the two dense layers of a transformer block.</summary>
public enum FeedForwardActivation
{
    Gelu,
    Relu,

    /// <summary>silu(a)·b of the two halves of a first layer that is twice as wide. Shazeer (2020).</summary>
    Swiglu,
}

/// <summary>
/// A transformer's encoder block: self-attention, then two dense layers, each with a residual connection and a
/// normalization. Pre-norm: h = x + attention(norm(x)), y = h + W₂·φ(W₁·norm(h)); post-norm: h = norm(x +
/// attention(x)), y = norm(h + W₂·φ(W₁·h)). With <paramref name="Causal"/> it is the block of a decoder without a
/// source. Vaswani et al. (2017), section 3. Inputs: x (N, T, E), then a mask (N, T) if <paramref name="Masked"/>, 1
/// for places that count. Output: (N, T, E). Nodes under the block's name are those of PyTorch's
/// TransformerEncoderLayer: <c>norm1</c>, <c>self_attn</c>, <c>dropout1</c>, <c>residual1</c>, <c>norm2</c>,
/// <c>linear1</c>, <c>activation</c>, <c>dropout</c>, <c>linear2</c>, <c>dropout2</c>, <c>residual2</c>, in this
/// order for pre-norm and with each norm behind its sum for post-norm. A network of pre-norm blocks wants one more
/// normalization behind the last.
/// </summary>
/// <param name="Heads">Heads of the attention; must divide E.</param>
/// <param name="FeedForward">Width between the dense layers; 0 for 4·E.</param>
/// <param name="Position">Where to normalize.</param>
/// <param name="Norm">Layer or RMS normalization.</param>
/// <param name="Activation">Function between the dense layers.</param>
/// <param name="Dropout">Rate behind both parts and behind the activation; 0 for none.</param>
/// <param name="AttentionDropout">Share of the attention weights that are dropped.</param>
/// <param name="Causal">Place i sees the places 0 to i only.</param>
/// <param name="Masked">Whether a mask follows x.</param>
/// <param name="QkNorm">Normalization of queries and keys per head.</param>
/// <param name="Bias">Whether attention and dense layers have biases.</param>
/// <param name="Eps">Added to the variance in the normalizations; above 0.</param>
/// <param name="ResidualScale">
/// α: x is multiplied by it before a part's result is added. DeepNorm (Wang et al. 2022) takes (2·blocks)^¼ in a post-norm
/// encoder; 1 for an ordinary residual connection.
/// </param>
public sealed record TransformerBlock(int Heads, int FeedForward = 0, NormPosition Position = NormPosition.Pre, TransformerNorm Norm = TransformerNorm.Layer,
    FeedForwardActivation Activation = FeedForwardActivation.Gelu, double Dropout = 0, double AttentionDropout = 0, bool Causal = false, bool Masked = false,
    QueryKeyNorm QkNorm = QueryKeyNorm.None, bool Bias = true, double Eps = 1e-5, double ResidualScale = 1) : Block
{
    public override string Kind => "transformer_block";

    public override Value Expand(BlockScope scope)
    {
        Check(scope);
        Value x = scope.Inputs[0];
        x = Around(scope, x, 1, branch => Attend(scope, branch));
        return Around(scope, x, 2, branch => Feed(scope, branch));
    }

    /// <summary>One part with its residual connection and its normalization.</summary>
    private Value Around(BlockScope scope, Value x, int number, Func<Value, Value> part)
    {
        bool pre = Position == NormPosition.Pre;
        Value branch = part(pre ? Normalize(scope, x, number) : x);
        branch = Drop(scope, branch, FormattableString.Invariant($"dropout{number}"));
        Value skip = ResidualScale == 1 ? x : scope.Layer(new Rescaling(ResidualScale), FormattableString.Invariant($"scale{number}"), [x]);
        Value sum = scope.Layer(new Add(), FormattableString.Invariant($"residual{number}"), [skip, branch]);
        return pre ? sum : Normalize(scope, sum, number);
    }

    private Value Normalize(BlockScope scope, Value x, int number) =>
        scope.Layer(Norm == TransformerNorm.Layer ? new LayerNorm([], Eps) : new RmsNorm(Eps), FormattableString.Invariant($"norm{number}"), [x]);

    private Value Attend(BlockScope scope, Value x)
    {
        MultiHeadAttention attention = new(Heads, Bias: Bias, Causal: Causal, Masked: Masked, QkNorm: QkNorm, Dropout: AttentionDropout);
        return scope.Layer(attention, "self_attn", [x, .. scope.Inputs.AsSpan()[1..]]);
    }

    private Value Feed(BlockScope scope, Value x)
    {
        int e = x.Shape[2].Size;
        int width = FeedForward > 0 ? FeedForward : checked(4 * e);
        bool gated = Activation == FeedForwardActivation.Swiglu;
        Value hidden = scope.Layer(new Dense(gated ? checked(2 * width) : width, Bias), "linear1", [x]);
        Op function = Activation switch
        {
            FeedForwardActivation.Relu => new Relu(),
            FeedForwardActivation.Swiglu => new SwiGlu(),
            _ => new Gelu(),
        };
        hidden = Drop(scope, scope.Layer(function, "activation", [hidden]), "dropout");
        return scope.Layer(new Dense(e, Bias), "linear2", [hidden]);
    }

    private Value Drop(BlockScope scope, Value x, string part) => Dropout > 0 ? scope.Layer(new Dropout(Dropout), part, [x]) : x;

    private void Check(BlockScope scope)
    {
        scope.RequireCount(Masked ? 2 : 1);
        Shape x = scope.Inputs[0].Shape;
        if (scope.Inputs[0].Type.Kind != ElementKind.Real || x.Rank != 3 || x[2].PerSample)
        {
            throw scope.Error("a sequence (N, T, E)", scope.Inputs[0].Type.ToString());
        }
        if (Heads < 1 || x[2].Size % Heads != 0)
        {
            throw scope.BadAttribute("heads", Heads, FormattableString.Invariant($"a divisor of the width, which is {x[2].Size}"));
        }
        if (FeedForward < 0)
        {
            throw scope.BadAttribute("feed_forward", FeedForward, "1 or more, or 0 for four times the width");
        }
        if (!(Dropout >= 0 && Dropout < 1))
        {
            throw scope.BadAttribute("dropout", Dropout, "0 or more and below 1");
        }
        if (!(AttentionDropout >= 0 && AttentionDropout < 1))
        {
            throw scope.BadAttribute("attention_dropout", AttentionDropout, "0 or more and below 1");
        }
        if (!(Eps > 0 && double.IsFinite(Eps)))
        {
            throw scope.BadAttribute("eps", Eps, "above 0");
        }
        if (!(ResidualScale > 0 && double.IsFinite(ResidualScale)))
        {
            throw scope.BadAttribute("residual_scale", ResidualScale, "above 0");
        }
    }
}

/// <summary>The verbs of <see cref="T:Fathom.Graphs.Blocks.TransformerBlock"/>.</summary>
public static class TransformerBlocks
{
    /// <param name="network">Where to go on: a sequence (N, T, E).</param>
    /// <param name="heads">Heads of the attention; must divide E.</param>
    /// <param name="feedForward">Width between the dense layers; 0 for 4·E.</param>
    /// <param name="position">Where to normalize.</param>
    /// <param name="causal">Place i sees the places 0 to i only.</param>
    /// <param name="mask">A mask (N, T), or null if every place counts.</param>
    /// <param name="name">Name with which the names of the nodes begin.</param>
    public static NetworkCursor TransformerBlock(this NetworkCursor network, int heads, int feedForward = 0, NormPosition position = NormPosition.Pre,
        bool causal = false, NetworkCursor? mask = null, string? name = null) =>
        network.TransformerBlock(new TransformerBlock(heads, feedForward, position, Causal: causal), mask, null, name);

    /// <param name="network">Where to go on: a sequence (N, T, E).</param>
    /// <param name="block">The block; whether there is a mask is said by the next parameter.</param>
    /// <param name="mask">A mask (N, T), or null if every place counts.</param>
    /// <param name="initializers">Initializers by parameter, such as <c>linear1.weight</c>.</param>
    /// <param name="name">Name with which the names of the nodes begin.</param>
    public static NetworkCursor TransformerBlock(this NetworkCursor network, TransformerBlock block, NetworkCursor? mask = null,
        IReadOnlyDictionary<string, Initializer>? initializers = null, string? name = null) =>
        network.Then(block with { Masked = mask is not null }, name, initializers, mask is null ? [] : [mask]);
}
