using System.CommandLine;
using Fathom.Corpus;
using Fathom.Formats;

RootCommand root = new("Healthy and sick networks whose label comes from what became of them, and what a diagnosis makes of them.")
{
    LabelVerb.Create(),
    ScoreVerb.Create(),
    ShowVerb.Create(),
    FeaturesVerb.Create(),
    RepairVerb.Create(),
    CuresVerb.Create(),
};
try
{
    return root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("interrupted; what was done is kept, the same command goes on");
    return 1;
}
catch (Exception error) when (error is CorpusException or ModelFormatException or IOException)
{
    Console.Error.WriteLine(error.Message);
    return 2;
}
