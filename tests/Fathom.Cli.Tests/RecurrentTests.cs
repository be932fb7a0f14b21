using Fathom.Formats.SafeTensors;
using Fathom.Runs;

namespace Fathom.Cli.Tests;

/// <summary>Networks over time: the gradient at each time step is told, recorded and written.</summary>
public sealed class RecurrentTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Model => folder.Write("m.yaml", """
        fathom: 1
        data: {source: "adding?length=12&samples=60"}
        input: [12, 2]
        layers:
          - {recurrent: {cell: lstm, units: 4, bidirectional: true}, name: lstm}
          - {rnn: 3, name: rnn}
          - select
          - dense: 1
        loss: mse
        optimizer: sgd
        batch: 20
        epochs: 2
        """);

    [Fact]
    public void TrainingTellsTheGradientOverTime()
    {
        CliRun run = CliRun.Of("train", Model, "--run", folder.File("a.run"), "--out", folder.File("w.safetensors"), "--threads", "1", "--fail-on", "never");
        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.Contains("rnn: gradient at t=1 is ", run.Output);
        Assert.Contains(" of that at t=12", run.Output);
        Assert.Contains("lstm.0.reverse: gradient at t=12 is ", run.Output);
        using RunReader reader = RunReader.Open(folder.File("a.run"));
        TensorColumn[] columns = [.. reader.Columns.Where(column => column.Role == TensorRole.StateGradient)];
        Assert.Equal(36, columns.Length);
        Assert.Equal(("rnn", "rnn gradient at t=12", 3), (columns[^1].Node, columns[^1].Tensor, columns[^1].Count));

        SafeTensorsFile.Write(folder.File("b.safetensors"),
            [SafeTensorEntry.Of("x", [5, 12, 2], Enumerable.Range(0, 120).Select(i => MathF.Sin(i)).ToArray()), SafeTensorEntry.Of("target", [5, 1], new float[5])]);
        CliRun trace = CliRun.Of("trace", Model, "--weights", folder.File("w.safetensors"), "--batch", folder.File("b.safetensors"), "--out", folder.File("t.safetensors"));
        Assert.True(trace.Status == ExitStatus.Clean, trace.Output + trace.Error);
        Assert.Contains("rnn: gradient at t=1 is ", trace.Output);
        Assert.Equal([12, 5, 3], SafeTensorsFile.Open(folder.File("t.safetensors")).Tensor("grad.state.rnn").Shape.ToArray());
        Assert.Equal([12, 5, 4], SafeTensorsFile.Open(folder.File("t.safetensors")).Tensor("grad.state.lstm.0.reverse").Shape.ToArray());
    }

    /// <summary>Of a layer that reads from the end, only the step that it reads first has a gradient where the last step of the sequence is selected.</summary>
    [Fact]
    public void StepsWithoutAGradientAreNotDividedBy()
    {
        string model = folder.Write("r.yaml", """
            fathom: 1
            data: {source: "adding?length=12&samples=60"}
            input: [12, 2]
            layers:
              - {recurrent: {cell: lstm, units: 4, bidirectional: true}, name: lstm}
              - select
              - dense: 1
            loss: mse
            optimizer: sgd
            epochs: 1
            metrics: [r2]
            """);
        CliRun run = CliRun.Of("train", model, "--fail-on", "never");
        Assert.Contains("lstm.0.reverse: a gradient at t=12 alone", run.Output);
        // The metric that stands there anyway is not told twice.
        Assert.Contains("R²", run.Output);
        Assert.DoesNotContain("r2 ", run.Output);
    }

    [Fact]
    public void CheckAndFixTakeThem()
    {
        CliRun check = CliRun.Of("check", Model);
        Assert.True(check.Status == ExitStatus.Clean, check.Output + check.Error);
        CliRun fix = CliRun.Of("fix", Model, "--out", folder.File("fixed.yaml"));
        Assert.True(fix.Status != ExitStatus.BadInput, fix.Output + fix.Error);
        if (File.Exists(folder.File("fixed.yaml")))
        {
            Assert.Equal(ExitStatus.Clean, CliRun.Of("check", folder.File("fixed.yaml"), "--fail-on", "never").Status);
        }
    }
}
