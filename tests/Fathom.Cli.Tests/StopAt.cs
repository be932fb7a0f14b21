namespace Fathom.Cli.Tests;

/// <summary>Output that cancels when it is told something.</summary>
internal sealed class StopAt(string text, CancellationTokenSource stop) : StringWriter
{
    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        if (value?.StartsWith(text, StringComparison.Ordinal) == true)
        {
            stop.Cancel();
        }
    }
}
