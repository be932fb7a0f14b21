using System.Collections.Immutable;
using System.Globalization;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Corpus;

/// <summary>A labelled network, wherever it comes from, as a diagnosis gets to see it.</summary>
/// <param name="Name">What it is called in lists.</param>
/// <param name="Group">Its kind of network, for tables.</param>
/// <param name="Fault">What was put into it; null for settings as they came.</param>
/// <param name="Label">What became of it.</param>
/// <param name="RightCauses">Causes that count as right, of a sick one; empty if none was proven.</param>
/// <param name="Culprit">The hidden layer that is to blame, from 1; 0 if no single one is.</param>
/// <param name="Model">Network and plan.</param>
/// <param name="Data">Its data.</param>
internal sealed record Subject(string Name, string Group, string? Fault, Label Label, ImmutableHashSet<string> RightCauses, int Culprit, Func<ModelDefinition> Model, Func<DataSplit> Data)
{
    public bool IsSick => Label.Outcome == Outcome.Sick;

    public static Subject Of(CorpusCase network, Label label) => new(network.Name, network.Recipe.Family.ToString(), network.Fault?.Name, label, Right(network, label),
        network.Recipe.Change != LayerChange.None && label.Healed.Contains(Counterfactual.SoundLayer) ? network.Recipe.ChangedLayer : 0,
        () => RecipeBuilder.Model(network.Recipe, network.Name, network.Seed), () => RecipeBuilder.Data(network.Recipe));

    /// <summary>
    /// Of each change that healed the network by itself the causes that it undoes, and, where one of them undid what was put
    /// in, other names for that fault.
    /// </summary>
    private static ImmutableHashSet<string> Right(CorpusCase network, Label label)
    {
        string[] healing = [.. label.Healed.Select(name => Counterfactual.All.First(change => change.Name == name)).SelectMany(change => change.AlsoShows(network.Recipe).Prepend(change.Cause))];
        bool proven = network.Fault is { } fault && (healing.Contains(fault.Cause) || fault.AlsoRight.Any(healing.Contains));
        return [.. healing, .. proven ? [network.Fault!.Cause, .. network.Fault.AlsoRight] : Array.Empty<string>()];
    }

    /// <summary>Whether a layer's name says that it is the culprit or its neighbour.</summary>
    public bool IsNearCulprit(string layer) =>
        int.TryParse(layer.AsSpan(layer.LastIndexOf('_') + 1), CultureInfo.InvariantCulture, out int number) && Math.Abs(number - Culprit) <= 1;
}
