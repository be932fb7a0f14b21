using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Tests;
using Fathom.Formats.ModelFile;
using Fathom.Training;

namespace Fathom.Cli.Tests;

/// <summary>Whatever a remedy makes of a network can be written as a model file, and read back as the same network and plan.</summary>
public sealed class RemedyFileTests
{
    public static TheoryData<string> Names => [.. Cure.All.Select(cure => cure.ToString())];

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void AMendedModelSurvivesItsFile(string name)
    {
        Cure cure = Cure.All.First(item => item.ToString() == name);
        foreach (Prescription prescription in cure.Remedy.Propose(cure.Sick, cure.History))
        {
            ModelDefinition mended = prescription.Rewrite(cure.Sick);
            string text = ModelFileWriter.Write(mended);
            ModelDefinition read = ModelFileReader.Read("mended.yaml", text);
            Assert.Equal(mended.Graph.ToString(), read.Graph.ToString());
            Assert.Equal(mended.Graph.Parameters.Select(node => (node.Name, node.Op)), read.Graph.Parameters.Select(node => (node.Name, node.Op)));
            Assert.Equal(mended.Plan, read.Plan);
        }
    }
}
