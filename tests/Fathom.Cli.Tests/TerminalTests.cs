using System.Text;

namespace Fathom.Cli.Tests;

public sealed class TerminalTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AStreamWithoutUnicodeGetsAscii()
    {
        using MemoryStream stream = new();
        using StreamWriter output = new(stream, Encoding.ASCII);
        CommandLine.Run(["check", folder.Model("deep.yaml", "sigmoid", depth: 12)], output, TextWriter.Null);
        output.Flush();
        string text = Encoding.ASCII.GetString(stream.ToArray());

        Assert.DoesNotContain("?", text);
        Assert.Contains("x0.2", text);
        Assert.Matches(@"gradient over depth  _.*#  dense_1 -> dense_13", text);
    }

    [Fact]
    public void ATerminalGetsABarAndTheSameFindings()
    {
        StringWriter output = new(), error = new();
        int status = CommandLine.Run(["train", folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 3)], output, error, interactive: true);

        Assert.Equal((ExitStatus.Findings, ""), (status, error.ToString()));
        Assert.Contains("FTH001", output.ToString());
        Assert.Contains("done after 135 steps", output.ToString());
        Assert.DoesNotContain("epoch 1/3  loss 2.3\n", output.ToString());
    }

    [Fact]
    public void WithJsonOnStdoutTextGoesToStderr()
    {
        CliRun run = CliRun.Of("train", folder.Model("m.yaml", "relu", epochs: 1), "--json", "-");

        Assert.StartsWith("{", run.Output);
        Assert.Contains("epoch 1/1", run.Error);
    }
}
