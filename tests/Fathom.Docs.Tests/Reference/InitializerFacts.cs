namespace Fathom.Docs.Tests.Reference;

/// <summary>What the page on initializers says before its entries.</summary>
internal static class InitializerFacts
{
    public const string Introduction =
        """
        How a parameter starts. A layer with weights of variance gain²/fan-in gives outputs whose mean square is gain² times that of its
        inputs, so fan-in keeps signals and fan-out keeps gradients at one scale; Xavier's average is the compromise. He's gain √2 makes
        up for the half that ReLU cuts off. Fan-in is the number of inputs of one output (in · kernel elements), fan-out the number of
        outputs of one input.

        A parameter is named as a setting of its layer: `dense: {units: 64, weight: he_normal, bias: {constant: 0.1}}`. Keras' normal
        initializers are the truncated ones. The plots show how 65,536 numbers of one (256, 256) weight are distributed.
        """;
}
