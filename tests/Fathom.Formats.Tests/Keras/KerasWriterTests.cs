using Fathom.Formats.Keras;
using Fathom.Formats.Tests.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing.Keras;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.Keras;

public sealed class KerasWriterTests
{
    private const string Sequential3 = """
        {"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[
        {"module":"keras.layers","class_name":"InputLayer","config":{"batch_shape":[null,4],"dtype":"float32","name":"in"},"registered_name":null},
        {"module":"keras.layers","class_name":"Dense","config":{"name":"a","units":4,"activation":"sigmoid","use_bias":true,"my_note":7},"registered_name":null},
        {"module":"keras.layers","class_name":"Dense","config":{"name":"b","units":4,"activation":"sigmoid","use_bias":true},"registered_name":null},
        {"module":"keras.layers","class_name":"Dense","config":{"name":"c","units":3,"activation":"softmax","use_bias":true},"registered_name":null}]},
        "compile_config":{"optimizer":{"module":"keras.optimizers","class_name":"SGD","config":{"learning_rate":0.1,"momentum":0.0,"jit_compile":true},"registered_name":null},"loss":"sparse_categorical_crossentropy","metrics":["accuracy"]}}
        """;

    [Xunit.Theory]
    [InlineData("keras2-sequential.json")]
    [InlineData("keras2-functional.json")]
    [InlineData("keras3-sequential.json")]
    [InlineData("keras3-functional.json")]
    public void WhatHasNotChangedStaysAsItWas(string name)
    {
        string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Keras", "Data", name));
        KerasWriteResult written = KerasWriter.Write(name, text, KerasReader.Read(name, text).Model);
        Assert.Equal(written.Before, written.Text);
        Assert.Empty(written.Notes);
    }

    [Fact]
    public void AnotherActivationIsOneLine()
    {
        KerasWriteResult written = Rewritten(Sequential3, model => With(model, (rewriter, node) => node.Op is Sigmoid ? rewriter.Copy(node, op: new Relu()) : null));
        Assert.Equal(2, Added(written).Length);
        Assert.All(Added(written), line => Assert.Contains("\"activation\": \"relu\"", line));
        Assert.Contains("my_note", written.Text);
    }

    [Fact]
    public void OtherWeightsAreWrittenInKerasWords()
    {
        KerasWriteResult written = Rewritten(Sequential3, model => With(model, (rewriter, node) => node.Name == "a"
            ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? VarianceScaling.HeNormal : old) : null));
        Assert.Contains("untruncated_normal", written.Text);
        Assert.Equal(1, written.Text.Split("kernel_initializer").Length - 1);
    }

    [Fact]
    public void ANormalizationInFrontOfAnInnerActivationTakesItOut()
    {
        KerasWriteResult written = Rewritten(Sequential3, model => With(model, (rewriter, node) => node.Name is "a" or "b"
            ? rewriter.Builder.Layer(new BatchNorm(), node.Name + "_norm", [rewriter.Copy(node)]) : null));
        Assert.Contains("\"class_name\": \"Sequential\"", written.Text);
        Assert.Equal(["in", "a", "a_norm", "a_activation", "b", "b_norm", "b_activation", "c"], Names(written.Text));
    }

    [Fact]
    public void AWayAroundMakesASequentialFunctional()
    {
        foreach (string text in new[] { Sequential3, Sequential3.Replace("\"module\":\"keras\",", "").Replace("\"batch_shape\"", "\"batch_input_shape\"") })
        {
            KerasWriteResult written = Rewritten(text, model => With(model, (rewriter, node) => node.Name == "b_activation"
                ? rewriter.Builder.Layer(new Add(), "skip", [rewriter.Mapped(model.Graph["a_activation"].Output), rewriter.Copy(node)]) : null));
            Assert.Contains("\"class_name\": \"Functional\"", written.Text);
            Assert.Equal(["in", "a", "b", "skip", "c"], Names(written.Text));
        }
    }

    [Fact]
    public void AFunctionalModelKeepsItsCalls()
    {
        string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Keras", "Data", "keras3-functional.json"));
        KerasWriteResult written = Rewritten(text, model => With(model, (rewriter, node) => node.Op is Add
            ? rewriter.Builder.Layer(new LayerNorm(Eps: 1e-3), "norm", [rewriter.Copy(node)]) : null));
        Assert.Contains("\"norm\"", written.Text);
    }

    [Fact]
    public void ThePlanIsWrittenToo()
    {
        KerasWriteResult written = Rewritten(Sequential3, model => model with
        {
            Plan = model.Plan with { Optimizer = new KerasAdam(0.003), Clipping = new ClipByGlobalNorm(2), Loss = new CrossEntropy(FromLogits: false, LabelSmoothing: 0.1), BatchSize = 16 },
        });
        Assert.Contains("\"class_name\": \"Adam\"", written.Text);
        Assert.Contains("\"global_clipnorm\": 2", written.Text);
        Assert.Equal("a Keras file does not hold the batch size: train with model.fit(…, batch_size=16)", Assert.Single(written.Notes));
    }

    public static TheoryData<Schedule> Schedules() => new(new CosineSchedule(), new CosineSchedule(Floor: 0.1), new CosineSchedule(Floor: 0.1, Hold: 0.6), new WarmupSchedule(30, 0.01), new StepSchedule(2, 0.5), new ExponentialSchedule(0.9));

    /// <summary>Keras counts steps; for a run of known length they are the same factors.</summary>
    [Xunit.Theory]
    [MemberData(nameof(Schedules))]
    public void AScheduleIsWrittenInStepsAndIsTheSameInEachStep(Schedule schedule)
    {
        const int perEpoch = 45, epochs = 8;
        Schedule steps = KerasSchedules.Of(schedule, perEpoch, perEpoch * epochs);
        foreach (string text in (string[])[Sequential3, Sequential3.Replace("\"module\":\"keras\",", "")])
        {
            ModelDefinition model = KerasReader.Read("k.json", text).Model;
            KerasWriteResult written = KerasWriter.Write("k.json", text, model with { Plan = model.Plan with { Schedule = steps, Optimizer = model.Plan.Optimizer with { LearningRate = 0.003 } } });
            TrainingPlan again = KerasReader.Read("k.json", written.Text).Model.Plan;
            Assert.Equal(0.003, again.Optimizer.LearningRate, 15);
            for (int step = 0; step < perEpoch * epochs; step++)
            {
                Assert.Equal(schedule.Factor(step, perEpoch, perEpoch * epochs), again.Schedule.Factor(step, perEpoch, perEpoch * epochs), 12);
            }
        }
    }

    [Fact]
    public void ALearningRateAloneLeavesTheOptimizersOtherSettings()
    {
        KerasWriteResult written = Rewritten(Sequential3, model => model with { Plan = model.Plan with { Optimizer = model.Plan.Optimizer with { LearningRate = 0.01 } } });
        Assert.Contains("jit_compile", written.Text);
        Assert.Contains("\"learning_rate\": 0.01", written.Text);
    }

    [Fact]
    public void ADepthwiseAndASeparableConvolutionHaveInitializersOfTheirOwnNames()
    {
        string[] layers =
        [
            KerasSample.Entry("a", "DepthwiseConv2D", "\"kernel_size\": [3, 3]", ["input_0"]),
            KerasSample.Entry("b", "SeparableConv2D", "\"filters\": 4, \"kernel_size\": [3, 3]", ["a"]),
        ];
        KerasWriteResult written = Rewritten(KerasSample.Functional(["[null, 8, 8, 2]"], layers, "b"), model => With(model, (rewriter, node) => node.Op is ConvolutionOp
            ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? new NormalInitializer(0, 0.1) : old) : null));
        Assert.Equal((2, 1), (written.Text.Split("depthwise_initializer").Length - 1, written.Text.Split("pointwise_initializer").Length - 1));
    }

    /// <summary>One dense layer called on two inputs, and their sum; version 2 writes calls as lists, version 3 as arguments.</summary>
    private static string Shared(bool isVersion3)
    {
        string Call(string layer) => isVersion3 ? $"{{\"args\": [{KerasSample.Tensor(layer)}], \"kwargs\": {{}}}}" : $"[[\"{layer}\", 0, 0, {{}}]]";
        string shared = "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 8, \"activation\": \"sigmoid\", \"my_note\": 7}, \"name\": \"d\", \"inbound_nodes\": [" + Call("input_0") + ", " + Call("input_1") + "]}";
        string add = "{\"class_name\": \"Add\", \"config\": {\"name\": \"add\"}, \"name\": \"add\", \"inbound_nodes\": [[[\"d\", 0, 0, {}], [\"d\", 1, 0, {}]]]}";
        return KerasSample.Functional(["[null, 8]", "[null, 8]"], [shared, add], "add");
    }

    [Xunit.Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ALayerThatIsCalledTwiceIsChangedInItsPlace(bool isVersion3)
    {
        string text = Shared(isVersion3);
        KerasWriteResult activation = Rewritten(text, model => With(model, (rewriter, node) => node.Op is Sigmoid ? rewriter.Copy(node, op: new Relu()) : null));
        Assert.Contains("relu", Assert.Single(Added(activation), line => line.Contains("activation", StringComparison.Ordinal)));
        KerasWriteResult weights = Rewritten(text, model => With(model, (rewriter, node) => node.Op is Dense ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? VarianceScaling.HeNormal : old) : null));
        Assert.Equal(1, weights.Text.Split("kernel_initializer").Length - 1);
        Assert.Contains("my_note", weights.Text);
        KerasWriteResult plan = Rewritten(Compiled(text), model => model with { Plan = model.Plan with { Optimizer = new KerasSgd(0.01) } });
        Assert.Contains(Added(plan), line => line.Contains("\"learning_rate\": 0.01", StringComparison.Ordinal));
        Assert.DoesNotContain(Added(plan), line => line.Contains("inbound_nodes", StringComparison.Ordinal));
    }

    [Xunit.Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LayersPutBehindTheCallsOfASharedLayerStandByThemselves(bool isVersion3)
    {
        string text = Shared(isVersion3);
        KerasWriteResult behind = Rewritten(text, model => With(model, (rewriter, node) => node.Op is Sigmoid ? rewriter.Builder.Layer(new LayerNorm(Eps: 1e-3), node.Name.Replace("_activation", "") + "_norm", [rewriter.Copy(node)]) : null));
        Assert.Equal(["input_0", "input_1", "d", "d_norm", "d.2_norm", "add"], Names(behind.Text));
        KerasWriteResult within = Rewritten(text, model => With(model, (rewriter, node) => node.Op is Dense ? rewriter.Builder.Layer(new BatchNorm(), node.Name + "_norm", [rewriter.Copy(node)]) : null));
        Assert.Equal(new[] { "input_0", "input_1", "d", "d_norm", "d_activation", "d.2_norm", "d.2_activation", "add" }.Order(), Names(within.Text).Order());
        // What is changed in one call alone cannot stay within the layer.
        KerasWriteResult one = Rewritten(text, model => With(model, (rewriter, node) => node.Name == "d.2_activation" ? rewriter.Copy(node, op: new Relu()) : null));
        Assert.Contains("\"activation\": \"linear\"", one.Text);
        Assert.Contains("d_activation", Names(one.Text));
    }

    [Fact]
    public void ASharedLayerWhoseFirstCallIsGoneIsRefusedInOneLine()
    {
        string text = Shared(true);
        ModelDefinition model = KerasReader.Read("k.json", text).Model;
        ModelDefinition changed = With(model, (rewriter, node) => node.Op is Add ? rewriter.Mapped(model.Graph["d.2_activation"].Output) : null);
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => KerasWriter.Write("k.json", text, changed));
        Assert.DoesNotContain('\n', error.Message);
        Assert.Contains("cannot be said in Keras' format", error.Message);
    }

    private static string Compiled(string text) => text.TrimEnd()[..^1] + ", \"compile_config\": {\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"learning_rate\": 0.1}}, \"loss\": \"mse\"}}";

    [Xunit.Theory]
    [InlineData(true, "the changed model cannot be said in Keras' format: Keras has no layer for 'odd' (erf)")]
    [InlineData(false, "the changed model cannot be said in Keras' format: the optimizer adam is none of Keras'")]
    public void WhatKerasCannotSayIsRefusedInOneLine(bool layer, string message)
    {
        ModelDefinition model = KerasReader.Read("k.json", Sequential3).Model;
        ModelDefinition changed = layer
            ? With(model, (rewriter, node) => node.Name == "a_activation" ? rewriter.Builder.Layer(new Erf(), "odd", [rewriter.Copy(node)]) : null)
            : model with { Plan = model.Plan with { Optimizer = new Adam() } };
        ModelFormatException error = Assert.Throws<ModelFormatException>(() => KerasWriter.Write("k.json", Sequential3, changed));
        Assert.Equal(message, error.Message);
    }

    private static ModelDefinition With(ModelDefinition model, Func<GraphRewriter, Node, Value?> rewrite) => model with { Graph = GraphRewriter.Rewrite(model.Graph, rewrite) };

    /// <summary>Writes a changed model; what is read again must be the changed model, to the last initializer.</summary>
    private static KerasWriteResult Rewritten(string text, Func<ModelDefinition, ModelDefinition> change)
    {
        ModelDefinition changed = change(KerasReader.Read("k.json", text).Model);
        KerasWriteResult written = KerasWriter.Write("k.json", text, changed);
        ModelDefinition again = KerasReader.Read("k.json", written.Text).Model;
        Assert.Equal(Sorted(changed.Graph), Sorted(again.Graph));
        Assert.Equal(changed.Plan.Optimizer, again.Plan.Optimizer);
        Assert.Equal(changed.Plan.Clipping, again.Plan.Clipping);
        Assert.Equal(changed.Plan.Loss, again.Plan.Loss);
        return written;
    }

    private static string[] Sorted(Graph graph) => [.. GraphText.Of(graph).Split('\n').Select(line => System.Text.RegularExpressions.Regex.Replace(line, "(Family|Kind|Initializer) ?= ?\\w+", "")).Order(StringComparer.Ordinal)];

    private static string[] Added(KerasWriteResult written) => [.. UnifiedDiff.Of("a", written.Before, "b", written.Text).Split('\n').Skip(2).Where(line => line.StartsWith('+'))];

    private static string[] Names(string text) =>
        [.. System.Text.Json.Nodes.JsonNode.Parse(text)!["config"]!["layers"]!.AsArray().Select(entry => (string)entry!["config"]!["name"]!)];
}
