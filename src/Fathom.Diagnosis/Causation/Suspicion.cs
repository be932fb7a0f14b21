using System.Collections.Immutable;

namespace Fathom.Diagnosis.Causation;

/// <summary>A cause that was considered for a network that does not learn.</summary>
/// <param name="Cause">One of <see cref="Causes"/>.</param>
/// <param name="Supported">Whether the measurements speak for it.</param>
/// <param name="Because">What speaks for it, or against it.</param>
/// <param name="Layers">The layers concerned.</param>
/// <param name="Remedies">What addresses it.</param>
internal sealed record Suspicion(string Cause, bool Supported, string Because, ImmutableArray<string> Layers, ImmutableArray<string> Remedies)
{
    /// <summary>What to do if it is the cause: one short sentence.</summary>
    public string Action { get; init; } = "";

    /// <summary>How it comes about, for who wants to know more.</summary>
    public string Details { get; init; } = "";

    /// <summary>Whether it only is the likeliest of what is left: it makes a cause of a fault that is certain, and no fault by itself.</summary>
    public bool IsWeak { get; init; }
}
