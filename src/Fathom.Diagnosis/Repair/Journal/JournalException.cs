namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>A file that is no journal, or one of another examination. It was left as it is.</summary>
public sealed class JournalException(string message) : Exception(message);
