using System.CommandLine;
using Fathom.Bench;
using Fathom.Bench.Propagation;
using Fathom.Graphs;
using Fathom.Runs;
using Fathom.Training;

RootCommand root = new("Measures Fathom. Every figure that matters is a ratio of two things measured in turn in one run; on a shared machine nothing else means much.")
{
    StepsVerb.Create(),
    CompareVerb.Create(),
    GemmVerb.Create(),
    TelemetryVerb.Create(),
    ScalingVerb.Create(),
    DenormalsVerb.Create(),
    MemoryVerb.Create(),
    DepthVerb.Create(),
    StartVerb.Create(),
    KernelsVerb.Create(),
    PropagationVerb.Create(),
};
try
{
    return root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception error) when (error is BenchException or GraphException or TrainingException or RunFileException or IOException)
{
    Console.Error.WriteLine(error.Message);
    return 2;
}
