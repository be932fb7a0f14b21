using Fathom.Formats.ModelFile;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Formats.Tests.ModelFile;

public sealed class TailoredAndCapsuleFileTests
{
    [Fact]
    public void TheCapsuleSampleComesBack()
    {
        ModelDefinition model = ModelReader.Load(Path.Combine(RepositoryFiles.Root, "samples", "capsules.yaml")).Model;
        Assert.Equal(new Margin(), model.Plan.Loss);
        Assert.Equal(new Capsule(10, 8), model.Graph.Nodes.Single(node => node.Name == "digit").Op);
        ModelDefinition back = ModelFileReader.Read("back.yaml", ModelFileWriter.Write(model));
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(back.Graph));
        Assert.Equal(model.Plan, back.Plan);
    }

    [Fact]
    public void TailoredSettingsComeBack()
    {
        string text = "fathom: 1\ninput: 4\nlayers: [{tailored_leaky_relu: {depth: 30, target: 0.8}}, {tailored_leaky_relu: {negative_slope: 0.4}}, "
            + "{tailored_tanh: {depth: 7, max_slope: 1.2}}, {tailored_tanh: {layer_slope: 1.05}}]\nloss: mse\noptimizer: sgd\n";
        ModelDefinition model = ModelFileReader.Read("m.yaml", text);
        Activation[] expected = [new TailoredLeakyRelu(30, 0.8), new TailoredLeakyRelu(NegativeSlope: 0.4), new TailoredTanh(7, 1.2), new TailoredTanh(LayerSlope: 1.05)];
        Assert.Equal(expected, model.Graph.Nodes.Select(node => node.Op).OfType<Activation>());
        Assert.Equal(expected, ModelFileReader.Read("back.yaml", ModelFileWriter.Write(model)).Graph.Nodes.Select(node => node.Op).OfType<Activation>());
        Assert.Equal(100, ModelReader.Load(Path.Combine(RepositoryFiles.Root, "samples", "tailored-100.yaml")).Model.Graph.Nodes.Count(node => node.Op is TailoredLeakyRelu { Depth: 100 }));
    }

    [Xunit.Theory]
    [InlineData("{tailored_tanh: {depth: 0}}", "mse", "m.yaml:3:34: key 'depth': 0 is out of range; allowed: from 1 to 100000")]
    [InlineData("{tailored_leaky_relu: {target: 2}}", "mse", "m.yaml:3:41: key 'target': 2 is out of range; allowed: above 0 and below 1")]
    [InlineData("{capsule: {capsules: 3}}", "mse", "m.yaml:3:11: key 'capsule': 'size' is missing; allowed: a whole number")]
    [InlineData("{dense: 3}", "{margin: {negative_margin: 0.95}}", "m.yaml:4:34: key 'negative_margin': 0.95 is out of range; allowed: from 0 to positive_margin")]
    public void WrongSettingsAreOneClearLine(string layer, string loss, string message)
    {
        string text = $"fathom: 1\ninput: 4\nlayers: [{layer}]\nloss: {loss}\noptimizer: sgd\n";
        Assert.Equal(message, Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", text)).Message);
    }
}
