using Fathom.Formats.SafeTensors;
using Fathom.Testing;
using Fathom.Testing.Reference;

namespace Fathom.Cli.Tests;

/// <summary>The model files in samples/reference, which docs/command-line.md names, traced over PyTorch's vectors for networks of their sizes.</summary>
public sealed class ReferenceSampleTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [ReferenceFact]
    public void EachModelFileGivesPyTorchsTensors()
    {
        string[] samples = Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "samples", "reference"), "*.yaml");
        Assert.Equal(4, samples.Length);
        foreach (string sample in samples)
        {
            // Vectors of other shapes may stand in the folder; the file is for those that fit it.
            ReferenceCase[] cases = [.. ReferenceFolder.Open().Cases.Where(item => item.Op == Path.GetFileNameWithoutExtension(sample) && Fits(item))];
            Assert.All(cases, reference => Agrees(sample, reference));
        }
    }

    private static bool Fits(ReferenceCase item) => item.Op switch
    {
        "mlp_sigmoid" => item.Attributes.GetProperty("sizes").EnumerateArray().Select(size => size.GetInt32()).SequenceEqual([5, 8, 8, 8, 8, 8, 8, 8, 8, 8, 3])
            && item.TextAttribute("loss") == "cross_entropy",
        "residual_block" => Has(item, ("in_channels", 3), ("out_channels", 4), ("stride", 2), ("classes", 3), ("momentum", 0.1), ("eps", 1e-5))
            && item.Tensor("x").Shape is [_, 3, 6, 5],
        "transformer_block" => Has(item, ("d_model", 8), ("nhead", 2), ("dim_feedforward", 16), ("length", 5), ("classes", 3), ("layer_norm_eps", 1e-5))
            && !item.Flag("is_causal") && item.TextAttribute("activation") == "relu",
        _ => Has(item, ("vocabulary", 7), ("input_size", 3), ("hidden_size", 6), ("num_layers", 2), ("length", 9), ("classes", 2)),
    };

    private static bool Has(ReferenceCase item, params (string Attribute, double Value)[] attributes) =>
        attributes.All(pair => item.Number(pair.Attribute) == pair.Value);

    private void Agrees(string model, ReferenceCase reference)
    {
        string[] data = ["x", "tokens", "target"];
        SafeTensorsFile.Write(folder.File("b.safetensors"), reference.Inputs.Intersect(data).Select(name => Entry(name, reference.Tensor(name))));
        IEnumerable<SafeTensorEntry> counts = reference.Inputs.Where(name => name.EndsWith(".running_var", StringComparison.Ordinal))
            .Select(name => SafeTensorEntry.Of(name.Replace("running_var", "num_batches_tracked", StringComparison.Ordinal), [], new long[] { 7 }));
        SafeTensorsFile.Write(folder.File("w.safetensors"), [.. reference.Inputs.Except(data).Select(name => Entry(name, reference.Tensor(name))), .. counts]);
        CliRun run = CliRun.Of("trace", model, "--weights", folder.File("w.safetensors"), "--batch", folder.File("b.safetensors"), "--out", folder.File("t.safetensors"));

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        SafeTensorsFile result = SafeTensorsFile.Open(folder.File("t.safetensors"));
        string[] names = [.. reference.Outputs, .. reference.GradientInputs.Concat(reference.Activations).Select(name => $"grad.{name}")];
        Assert.Equal([], names.Select(name => reference.Mismatch(name, result.Tensor(name).ToSingles())).OfType<string>());
        Assert.All(names, name => Assert.Equal<int>([.. reference.Tensor(name).Shape], [.. result.Tensor(name).Shape]));
    }

    private static SafeTensorEntry Entry(string name, SafeTensor tensor) => tensor.DType == SafeTensorType.I64
        ? SafeTensorEntry.Of(name, tensor.Shape, tensor.ToInt64s())
        : SafeTensorEntry.Of(name, tensor.Shape, tensor.ToSingles());
}
