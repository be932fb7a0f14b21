using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Formats.Tests.ModelFile;

public sealed class RecurrentModelTests
{
    /// <summary>A block is written as the layers that it is made of, whose parameters keep the names that it gave them.</summary>
    [Fact]
    public void WhatABlockExpandedToComesBack()
    {
        ModelDefinition model = Read("""
            - {dense: 1, name: score, from: input}
            - {reshape: [9], name: mask}
            - {recurrent: {cell: gru, units: 4, layers: 2, bidirectional: true, dropout: 0.1, masked: true, return_sequences: false}, from: [input, mask], initializers: {weight_hh_l1: he_normal}, name: gru}
            - dense: 2
            """);
        Assert.Equal(VarianceScaling.HeNormal, ((Parameter)model.Graph["gru.weight_hh_l1"].Op).Initializer);
        string text = ModelFileWriter.Write(model);
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(ModelFileReader.Read("m.yaml", text).Graph));
    }

    [Fact]
    public void StatesMayBeReadAndGiven()
    {
        ModelDefinition model = Read("""
            - {lstm: {units: 4, bias_ih: {forget_gate_bias: 2}}, name: encoder}
            - {lstm: {units: 4, truncate: 3}, from: [input, "encoder:1", "encoder:2"], name: decoder}
            - select: {index: -1}
            - dense: 2
            """);
        Node decoder = model.Graph["decoder"];
        Assert.Equal(["input", "encoder:1", "encoder:2"], decoder.DataInputs.Select(value => value.Name));
        Assert.Equal(new Lstm(4, Truncate: 3), decoder.Op);
        Assert.Equal(new ForgetGateBias(2), ((Parameter)model.Graph["encoder.bias_ih_l0"].Op).Initializer);
        Assert.Equal(GraphText.Of(model.Graph), GraphText.Of(ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Graph));
    }

    [Fact]
    public void WhatIsWrongNamesTheLine()
    {
        Assert.StartsWith("m.yaml:4:29: key 'truncate': -1 is out of range; allowed: 0 for no truncation", Message("- rnn: {units: 4, truncate: -1}"));
        Assert.StartsWith("m.yaml:4:21: key 'cell': 'gruu' is ", Message("- recurrent: {cell: gruu, units: 4}"));
    }

    private static string Message(string layers) => Assert.Throws<ModelFormatException>(() => Read(layers)).Message;

    private static ModelDefinition Read(string layers) =>
        ModelFileReader.Read("m.yaml", $"fathom: 1\ninput: [9, 3]\nlayers:\n{layers}\nloss: mse\noptimizer: sgd\n");
}
