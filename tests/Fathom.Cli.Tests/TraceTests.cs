using System.Globalization;
using System.Text;
using Fathom.Formats.SafeTensors;
using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Cli.Tests;

public sealed class TraceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [ReferenceFact]
    public void AgreesWithPyTorch()
    {
        ReferenceCase[] cases = [.. ReferenceFolder.Open().Cases.Where(item => item.Op is "mlp_sigmoid" or "residual_block")];
        Assert.Equal(["mlp_sigmoid", "residual_block"], cases.Select(item => item.Op).Distinct().Order(StringComparer.Ordinal));
        foreach (ReferenceCase reference in cases)
        {
            CliRun run = Trace(reference, reference.Inputs);

            Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
            SafeTensorsFile result = SafeTensorsFile.Open(folder.File("t.safetensors"));
            string[] names = [.. reference.Outputs, .. reference.GradientInputs.Concat(reference.Activations).Select(name => $"grad.{name}")];
            Assert.NotEmpty(names);
            Assert.Equal([], names.Select(name => reference.Mismatch(name, result.Tensor(name).ToSingles())).OfType<string>());
        }
    }

    [ReferenceFact]
    public void WeightsThatDoNotFitAreListedInOneLine()
    {
        ReferenceCase reference = ReferenceFolder.Open().Cases.First(item => item.Op == "mlp_sigmoid" && item.Inputs.Contains("layers.5.weight"));
        string line = Trace(reference, [.. reference.Inputs.Where(name => name is not ("layers.3.bias" or "layers.5.weight")), "extra.weight"]).RequireOneLineError();

        Assert.Contains($"missing: layers.3.bias ({Shape(reference, "layers.3.bias")}), layers.5.weight ({Shape(reference, "layers.5.weight")})", line);
        Assert.Contains("unknown: extra.weight", line);
        Assert.False(File.Exists(folder.File("t.safetensors")));
    }

    /// <summary>As other tools store a batch: tokens under their own name, classes as real numbers.</summary>
    [Fact]
    public void ABatchMayNameItsTokensAndHoldItsClassesAsRealNumbers()
    {
        const string model = "fathom: 1\ninput: {shape: 3, kind: index}\nlayers:\n  - {embedding: {vocabulary: 5, units: 2}, name: embedding}\n  - {select: -1, name: last}\nloss: cross_entropy\noptimizer: sgd\n";
        SafeTensorsFile.Write(folder.File("w.safetensors"), [SafeTensorEntry.Of("embedding.weight", [5, 2], new float[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 })]);
        CliRun Run(float first)
        {
            SafeTensorsFile.Write(folder.File("b.safetensors"),
                [SafeTensorEntry.Of("tokens", [2, 3], new long[] { 0, 1, 2, 3, 4, 0 }), SafeTensorEntry.Of("target", [2], new[] { first, 0f })]);
            return CliRun.Of("trace", folder.Write("m.yaml", model), "--weights", folder.File("w.safetensors"), "--batch", folder.File("b.safetensors"), "--out", folder.File("t.safetensors"));
        }

        Assert.Equal(ExitStatus.Clean, Run(1).Status);
        Assert.Equal([4f, 5, 0, 1], SafeTensorsFile.Open(folder.File("t.safetensors")).Tensor("act.last").ToSingles());
        Assert.Contains("target 0 is 0.5, but the loss takes classes", Run(0.5f).RequireOneLineError());
    }

    /// <summary>In a state_dict they have the shape of the axes that are normalized over, and so has their gradient.</summary>
    [Fact]
    public void ParametersOfALayerNormOverSeveralAxesComeInPyTorchsShape()
    {
        const string model = "fathom: 1\ninput: [2, 2]\nlayers:\n  - {layer_norm: {normalized_shape: [2, 2]}, name: norm}\nloss: mse\noptimizer: sgd\n";
        SafeTensorsFile.Write(folder.File("w.safetensors"), [SafeTensorEntry.Of("norm.weight", [2, 2], new float[] { 1, 2, 3, 4 }), SafeTensorEntry.Of("norm.bias", [2, 2], new float[4])]);
        SafeTensorsFile.Write(folder.File("b.safetensors"), [SafeTensorEntry.Of("x", [1, 2, 2], new float[] { 1, 1, -1, -1 }), SafeTensorEntry.Of("target", [1, 2, 2], new float[4])]);
        CliRun run = CliRun.Of("trace", folder.Write("m.yaml", model), "--weights", folder.File("w.safetensors"), "--batch", folder.File("b.safetensors"), "--out", folder.File("t.safetensors"));

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        SafeTensor gradient = SafeTensorsFile.Open(folder.File("t.safetensors")).Tensor("grad.norm.weight");
        Assert.Equal<int>([2, 2], [.. gradient.Shape]);
        Assert.All(gradient.ToSingles().Zip([0.5f, 1, 1.5f, 2]), pair => Assert.Equal(pair.Second, pair.First, 1e-4f));
    }

    private static string Shape(ReferenceCase reference, string name) => string.Join(", ", reference.Tensor(name).Shape);

    private CliRun Trace(ReferenceCase reference, IReadOnlyList<string> inputs)
    {
        string[] data = ["x", "target"];
        SafeTensorsFile.Write(folder.File("b.safetensors"), data.Select(name => Entry(name, reference.Tensor(name))));
        SafeTensorsFile.Write(folder.File("w.safetensors"), inputs.Except(data).Select(name => name.StartsWith("extra", StringComparison.Ordinal)
            ? SafeTensorEntry.Of(name, [1], new float[1]) : Entry(name, reference.Tensor(name))));
        return CliRun.Of("trace", folder.Write("m.yaml", Model(reference)), "--weights", folder.File("w.safetensors"), "--batch", folder.File("b.safetensors"), "--out", folder.File("t.safetensors"));
    }

    private static SafeTensorEntry Entry(string name, SafeTensor tensor) => tensor.DType == SafeTensorType.I64
        ? SafeTensorEntry.Of(name, tensor.Shape, tensor.ToInt64s())
        : SafeTensorEntry.Of(name, tensor.Shape, tensor.ToSingles());

    private static string Model(ReferenceCase reference)
    {
        if (reference.Op == "residual_block")
        {
            return NetworkResidualRunner.ModelFile(reference);
        }
        int[] sizes = [.. reference.Attributes.GetProperty("sizes").EnumerateArray().Select(size => size.GetInt32())];
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"fathom: 1\ninput: {sizes[0]}\nloss: {reference.TextAttribute("loss")}\noptimizer: sgd\nlayers:");
        for (int i = 1; i < sizes.Length; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  - {{dense: {sizes[i]}, name: layers.{i - 1}}}");
            if (i < sizes.Length - 1)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"  - {{sigmoid: {{}}, name: sigmoid.{i - 1}}}");
            }
        }
        return text.ToString();
    }
}
