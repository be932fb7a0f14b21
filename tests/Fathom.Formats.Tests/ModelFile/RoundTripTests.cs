using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Formats.Tests.ModelFile;

public sealed class RoundTripTests
{
    private static readonly TrainingPlan Plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1, 0.9) };

    [Fact]
    public void RandomModelsComeBackAsTheyWere()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            ModelDefinition model = new RandomNetwork(seed).Draw();
            string text = ModelFileWriter.Write(model);
            ModelDefinition back = ModelFileReader.Read($"seed-{seed}.yaml", text);
            Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(back.Graph));
            Assert.Equal(model.Plan, back.Plan);
            Assert.Equal((model.Name, model.Data), (back.Name, back.Data));
            Assert.Equal(text, ModelFileWriter.Write(back));
        }
    }

    [Fact]
    public void EveryOpOfTheCatalogComesBackWithItsDefaults()
    {
        foreach (Op op in OpCatalog.ByKind.Values.Where(op => op is not (MatMul or Reshape)))
        {
            Graph? graph = TryBuild(op, 12) ?? TryBuild(op, 8, 8, 4) ?? TryBuild(op, 8, 4);
            if (graph is null)
            {
                continue;
            }
            // The output may not suit a loss, so a plain layer of values comes last.
            ModelDefinition model = new("m", graph, new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd() });
            Assert.Equal(GraphText.Of(graph), GraphText.Of(ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Graph));
        }
    }

    [Fact]
    public void DeepChainIsFoldedAsInTheSample()
    {
        Graph graph = Network.Input(64).Repeat(20, block => block.Dense(64, VarianceScaling.XavierNormal).Sigmoid()).Dense(10).Build();
        string text = ModelFileWriter.Write(new ModelDefinition("deep-sigmoid", graph, Plan with { Epochs = 30 }, new DataReference("digits")), ["Made by hand.", "", "two\nlines"]);
        Assert.Equal("""
            # Made by hand.
            #
            # two
            # lines
            fathom: 1
            name: deep-sigmoid
            data: digits
            seed: 1
            input: 64
            layers:
              - repeat: 20
                layers:
                  - dense: {units: 64, weight: xavier_normal}
                  - sigmoid
              - dense: 10
            loss: cross_entropy
            optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}
            batch: 32
            epochs: 30

            """.ReplaceLineEndings("\n"), text);
    }

    [Fact]
    public void ResidualBlocksAreFoldedWithDistances()
    {
        Graph graph = Network.Input(8).Repeat(3, block => block.Dense(8).Sigmoid().Add(block)).Dense(2).Build();
        string text = ModelFileWriter.Write(new ModelDefinition("m", graph, Plan));
        // The first block reads the input by its name, so the other two are the repetition.
        Assert.Contains("  - {add: {}, from: [sigmoid_1, input]}\n  - repeat: 2\n    layers:\n      - dense: 8\n      - sigmoid\n      - {add: {}, from: [-1, -3]}\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesThatEndInTheRoundAreFolded()
    {
        NetworkCursor cursor = Network.Input(8);
        for (int i = 1; i <= 4; i++)
        {
            cursor = cursor.Dense(8).Then(new Sigmoid(), $"squash_{i}");
        }
        Graph graph = cursor.Dense(2).Build();
        string text = ModelFileWriter.Write(new ModelDefinition("m", graph, Plan));
        Assert.Contains("  - repeat: 4\n    layers:\n      - dense: 8\n      - {sigmoid: {}, name: squash}\n", text, StringComparison.Ordinal);
        Assert.Equal(GraphText.Of(graph), GraphText.Of(ModelFileReader.Read("m.yaml", text).Graph));
    }

    [Fact]
    public void OutputThatIsNotTheLastLayerIsNamed()
    {
        NetworkCursor start = Network.Input(8);
        NetworkCursor head = start.Dense(2, name: "head");
        start.Dense(3, name: "aside");
        Graph graph = head.Build();
        string text = ModelFileWriter.Write(new ModelDefinition("m", graph, Plan));
        Assert.Contains("\noutput: head\n", text, StringComparison.Ordinal);
        Assert.Equal(GraphText.Of(graph), GraphText.Of(ModelFileReader.Read("m.yaml", text).Graph));
    }

    [Fact]
    public void SharedAndFrozenParametersComeBack()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("input", new TensorType(Shape.OfSamples(4)));
        Dictionary<string, string> tied = new() { ["weight"] = "tied" };
        Value first = builder.Layer(new Dense(4), "dense_1", [x], new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.HeNormal }, tied, slot => slot == "weight");
        Value second = builder.Layer(new Dense(4), "dense_2", [first], null, tied);
        Value third = builder.Layer(new Dense(4, Bias: false), "dense_3", [second], null, new Dictionary<string, string> { ["weight"] = "dense_4.weight" });
        Value fourth = builder.Layer(new Dense(4), "dense_4", [third]);
        Graph graph = builder.Build(builder.Layer(new BatchNorm(), "batch_norm_1", [fourth], frozen: _ => true));
        string text = ModelFileWriter.Write(new ModelDefinition("m", graph, Plan));
        Assert.Contains("""
              - {dense: {units: 4, weight: he_normal}, parameters: {weight: tied}, frozen: [weight]}
              - {dense: 4, parameters: {weight: tied}, frozen: [weight]}
              - {dense: {units: 4, bias: false}, parameters: {weight: dense_4.weight}}
              - dense: 4
              - {batch_norm: {}, frozen: true}

            """.ReplaceLineEndings("\n"), text, StringComparison.Ordinal);
        Assert.Equal(GraphText.Of(graph), GraphText.Of(ModelFileReader.Read("m.yaml", text).Graph));
    }

    [Fact]
    public void RoundsOfARepetitionCanShareAWeight()
    {
        NetworkCursor cursor = Network.Input(4).Repeat(5, block => block.Then(new Dense(4), null, null, new Dictionary<string, string> { ["weight"] = "tied" }).Tanh());
        Graph graph = cursor.Build();
        string text = ModelFileWriter.Write(new ModelDefinition("m", graph, Plan));
        Assert.Contains("  - repeat: 5\n    layers:\n      - {dense: 4, parameters: {weight: tied}}\n      - tanh\n", text, StringComparison.Ordinal);
        Assert.Equal(16 + 5 * 4, graph.ParameterCount);
        Assert.Equal(GraphText.Of(graph), GraphText.Of(ModelFileReader.Read("m.yaml", text).Graph));
    }

    [Fact]
    public void WriterRefusesWhatAFileCannotSay()
    {
        GraphBuilder builder = new();
        Value x = builder.Parameter("x", Shape.OfSamples(4), ConstantInitializer.Zeros);
        Graph graph = builder.Build(builder.Add("sum", new Add(), [builder.Input("input", new TensorType(Shape.OfSamples(4))), x]));
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => ModelFileWriter.Write(new ModelDefinition("m", graph, Plan)));
        Assert.Equal("sum (add): parameters that the layer does not own, as operands, have no form in model files", error.Message);
    }

    [Fact]
    public void FileIsReplacedAtOnceAndLeavesNothingBeside()
    {
        string folder = Directory.CreateTempSubdirectory("fathom-").FullName;
        try
        {
            string path = Path.Combine(folder, "m.yaml");
            File.WriteAllText(path, "old");
            ModelDefinition model = new("m", Network.Input(4).Dense(2).Build(), Plan);
            ModelWriter.Write(model, path);
            Assert.Equal([path], Directory.GetFiles(folder));
            Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(ModelReader.Read(path).Graph));
            ModelFormatException error = Assert.Throws<ModelFormatException>(() => ModelWriter.Write(model, Path.Combine(folder, "none", "m.yaml")));
            Assert.StartsWith($"{Path.Combine(folder, "none", "m.yaml")}: cannot be written: ", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Graph? TryBuild(Op op, params ReadOnlySpan<int> features)
    {
        try
        {
            return Network.Input(features).Then(op).Build();
        }
        catch (GraphException)
        {
            return null;
        }
    }
}
