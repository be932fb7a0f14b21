using Fathom.Formats;
using Fathom.Formats.SafeTensors;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Cli;

/// <summary>Turns an exception into one line and an exit status.</summary>
internal static class Failures
{
    public static int Report(Exception failure, TextWriter error)
    {
        string line = Describe(failure).ReplaceLineEndings(" ");
        error.WriteLine($"fathom: {line}");
        if (Environment.GetEnvironmentVariable("FATHOM_DEBUG") == "1")
        {
            error.WriteLine(failure);
        }
        return failure is OperationCanceledException ? ExitStatus.Findings : ExitStatus.BadInput;
    }

    private static string Describe(Exception failure) => failure switch
    {
        UsageException or GraphException or TrainingException or DataException or ModelFormatException or SafeTensorsException => failure.Message,
        IOException or UnauthorizedAccessException => failure.Message,
        OperationCanceledException => "interrupted; nothing was changed",
        InsufficientMemoryException => $"there is not enough memory for this network and batch: {failure.Message}; make the batch or the layers smaller",
        OutOfMemoryException => "there is not enough memory for this network and batch; make the batch or the layers smaller",
        OverflowException => $"a tensor of this network is larger than 2^31 elements; make the batch or the layers smaller ({failure.Message})",
        _ => $"this is a bug in Fathom, please report it with your command: {failure.GetType().Name}: {failure.Message} (FATHOM_DEBUG=1 shows where)",
    };
}
