namespace Fathom.Training.Data;

/// <summary>Data that cannot be used. The message is one line: what is wrong, where, and what would be right.</summary>
public sealed class DataException : Exception
{
    public DataException(string message) : base(message)
    {
    }

    public DataException(string message, Exception inner) : base(message, inner)
    {
    }
}
