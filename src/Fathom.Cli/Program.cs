using System.Runtime.InteropServices;
using System.Text;
using Fathom.Cli;
using Fathom.Cli.Verbs.Check;

using CancellationTokenSource interruption = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
if (OperatingSystem.IsWindows() && !Console.IsOutputRedirected)
{
    Console.OutputEncoding = Encoding.UTF8;
}
if (CommandLine.Measures(args))
{
    Rehearsal.Begin();
}
return CommandLine.Run(args, Console.Out, Console.Error, interruption.Token, interactive: !Console.IsOutputRedirected);

// The first signal ends a run in good order after the step in hand; a second one ends the process at once, and so does the
// first where there is nothing to keep.
void Stop(PosixSignalContext context)
{
    context.Cancel = CommandLine.EndsInGoodOrder(args) && !interruption.IsCancellationRequested;
    interruption.Cancel();
}
