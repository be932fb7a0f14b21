namespace Fathom.Bench;

/// <summary>A measurement that cannot be made as asked, in one line.</summary>
public sealed class BenchException(string message) : Exception(message);
