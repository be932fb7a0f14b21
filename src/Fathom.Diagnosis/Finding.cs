using System.Collections.Immutable;

namespace Fathom.Diagnosis;

/// <summary>How much a finding matters.</summary>
public enum Severity
{
    Info,
    Warning,
    Error,
}

/// <summary>The causes that Fathom tells apart, as they are written in JSON.</summary>
public static class Causes
{
    public const string Vanishing = "vanishing";
    public const string Exploding = "exploding";
    public const string DeadRelu = "dead-relu";
    public const string Saturation = "saturation";
    public const string LearningRateTooSmall = "lr-too-small";
    public const string LearningRateTooLarge = "lr-too-large";
    public const string WrongOutputOrLoss = "wrong-output-or-loss";
    public const string UnscaledInput = "unscaled-input";
    public const string BadInitialization = "bad-init";
    public const string Numerical = "numerical";
    public const string None = "none";
    public const string Other = "other";
}

/// <summary>One measured number beside what it should be.</summary>
/// <param name="Measured">The value that was measured.</param>
/// <param name="Expected">What theory or the threshold says; NaN if nothing does.</param>
public readonly record struct Evidence(double Measured, double Expected);

/// <summary>What a rule has found.</summary>
public sealed record Finding
{
    /// <summary>Identifier of the rule, such as <c>FTH001</c>.</summary>
    public required string Rule { get; init; }

    /// <summary>The problem in a few words.</summary>
    public required string Problem { get; init; }

    public required Severity Severity { get; init; }

    /// <summary>One of <see cref="Causes"/>.</summary>
    public required string Cause { get; init; }

    /// <summary>The layers it concerns, in order of depth.</summary>
    public required ImmutableArray<string> Layers { get; init; }

    /// <summary>Step at which it first was certain; −1 for before training.</summary>
    public required long Step { get; init; }

    /// <summary>0 to 1.</summary>
    public required double Confidence { get; init; }

    /// <summary>Measured against expected, by name.</summary>
    public required ImmutableSortedDictionary<string, Evidence> Evidence { get; init; }

    /// <summary>What is wrong, in one sentence: the value, what was expected and from where, and the threshold.</summary>
    public required string Explanation { get; init; }

    /// <summary>What to do next, in one short sentence.</summary>
    public string Action { get; init; } = "";

    /// <summary>How it comes about, and figures that not every reader needs; shown on request.</summary>
    public string Details { get; init; } = "";

    /// <summary>Rival causes that were considered, each with what speaks against it.</summary>
    public ImmutableArray<string> RuledOut { get; init; } = [];

    /// <summary>Other findings that this one explains: what it has brought about.</summary>
    public ImmutableArray<Finding> Consequences { get; init; } = [];

    /// <summary>Kinds of the remedies that address it, best first.</summary>
    public ImmutableArray<string> Remedies { get; init; } = [];

    /// <summary>Whether nothing that training does can end it: an error that needs not be seen to stand before it is acted on.</summary>
    public bool IsFinal { get; init; }
}
