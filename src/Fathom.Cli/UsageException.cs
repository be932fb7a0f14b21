namespace Fathom.Cli;

/// <summary>A command line that cannot be carried out; one line: what, where, what would be right.</summary>
public sealed class UsageException(string message) : Exception(message);
