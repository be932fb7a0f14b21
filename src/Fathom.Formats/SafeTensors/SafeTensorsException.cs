namespace Fathom.Formats.SafeTensors;

/// <summary>A safetensors file that cannot be used. The message is one line: which file, what is wrong, what is right.</summary>
public sealed class SafeTensorsException : FormatException
{
    public SafeTensorsException(string message) : base(message)
    {
    }

    public SafeTensorsException(string message, Exception inner) : base(message, inner)
    {
    }
}
