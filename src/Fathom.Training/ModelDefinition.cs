using Fathom.Graphs;

namespace Fathom.Training;

/// <summary>A network with its training plan, as a model file holds it.</summary>
/// <param name="Name">Name of the model.</param>
/// <param name="Graph">The forward graph; its first output is the prediction.</param>
/// <param name="Plan">How it is trained.</param>
/// <param name="Data">Which data it is trained on, as written in the file; null if the file does not say.</param>
public sealed record ModelDefinition(string Name, Graph Graph, TrainingPlan Plan, DataReference? Data = null);

/// <summary>The data that a model file names.</summary>
/// <param name="Source">As for <c>--data</c>, such as <c>digits</c> or <c>csv:FILE</c>.</param>
/// <param name="Validation">A fraction such as 0.2, or another source; null for the default.</param>
/// <param name="Label">Name of the label column of a CSV file; null for the last one.</param>
/// <param name="Standardize">Whether each feature is scaled to mean 0 and variance 1 by the training set.</param>
public sealed record DataReference(string Source, string? Validation = null, string? Label = null, bool Standardize = false);
