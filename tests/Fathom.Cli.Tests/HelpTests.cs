namespace Fathom.Cli.Tests;

public sealed class HelpTests
{
    [Xunit.Theory]
    [InlineData("--help", "check")]
    [InlineData("train --help", "--resume")]
    [InlineData("fix --help", "--seeds")]
    [InlineData("trace --help", "--weights")]
    [InlineData("check --help", "--data")]
    public void HelpNamesWhatThereIs(string arguments, string expected)
    {
        CliRun run = CliRun.Of(arguments.Split(' '));

        Assert.Equal(ExitStatus.Clean, run.Status);
        Assert.Contains(expected, run.Output);
        Assert.Equal("", run.Error);
    }

    [Fact]
    public void NoCommandGetsHelpAndOneLine()
    {
        CliRun run = CliRun.Of();

        Assert.Contains("no command is given; known are check", run.RequireOneLineError());
        Assert.Contains("--help", run.Output);
    }

    [Fact]
    public void VersionIsTheProgramsOwn() => Assert.Matches(@"^fathom \d+\.\d+\.\d+\s*$", CliRun.Of("--version").Output);
}
