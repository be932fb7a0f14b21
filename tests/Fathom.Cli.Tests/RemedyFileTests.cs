using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Tests;
using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
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

    /// <summary>A network that is written as a repetition stays one, so that the change is a line.</summary>
    [Xunit.Theory]
    [InlineData("batch norm before", "batch_norm")]
    [InlineData("residual connection around each block", "{add: {}, from: [-3, -1]}")]
    public void ARepetitionStaysOne(string name, string line)
    {
        ModelDefinition model = SickNetworks.Vanishing() with { Graph = Repeated() };
        Prescription prescription = ((Remedy[])[new BatchNormalization(), new ResidualConnections()])
            .SelectMany(remedy => remedy.Propose(model, new CaseHistory([]))).First(one => one.Name.StartsWith(name, StringComparison.Ordinal));
        string[] before = ModelFileWriter.Write(model).Split('\n'), after = ModelFileWriter.Write(prescription.Rewrite(model)).Split('\n');
        Assert.Contains($"      - {line}", after);
        Assert.InRange(after.Length, before.Length + 1, before.Length + 3); // the first block stands alone where nothing goes around it
    }

    private static Graph Repeated()
    {
        NetworkCursor net = Network.Input(32);
        for (int i = 0; i < 12; i++)
        {
            net = net.Dense(32).Sigmoid();
        }
        return net.Dense(10).Build();
    }
}
