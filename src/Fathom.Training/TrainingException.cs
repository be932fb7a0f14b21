namespace Fathom.Training;

/// <summary>A training plan that cannot be carried out; the message says what, where, and what would be right.</summary>
public sealed class TrainingException(string message) : Exception(message);
