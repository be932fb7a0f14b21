using Fathom.Formats.SafeTensors;
using Fathom.Testing.Reference;
using Fathom.Testing.Reference.Runners;

namespace Fathom.Cli.Tests;

public sealed class TransformerTraceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [ReferenceFact]
    public void AgreesWithPyTorch()
    {
        ReferenceCase[] cases = [.. ReferenceFolder.Open().Cases.Where(item => item.Op == "transformer_block")];
        Assert.NotEmpty(cases);
        foreach (ReferenceCase reference in cases)
        {
            string[] data = ["x", "target"];
            SafeTensorsFile.Write(folder.File("b.safetensors"), data.Select(name => Entry(name, reference.Tensor(name))));
            SafeTensorsFile.Write(folder.File("w.safetensors"), reference.Inputs.Except(data).Select(name => Entry(name, reference.Tensor(name))));
            CliRun run = CliRun.Of("trace", folder.Write("m.yaml", NetworkTransformerRunner.ModelFile(reference)),
                "--weights", folder.File("w.safetensors"), "--batch", folder.File("b.safetensors"), "--out", folder.File("t.safetensors"));

            Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
            SafeTensorsFile result = SafeTensorsFile.Open(folder.File("t.safetensors"));
            string[] names = [.. reference.Outputs, .. reference.GradientInputs.Concat(reference.Activations).Select(name => $"grad.{name}")];
            Assert.Contains("attention", names);
            Assert.Equal([], names.Select(name => reference.Mismatch(name, result.Tensor(name).ToSingles())).OfType<string>());
        }
    }

    private static SafeTensorEntry Entry(string name, SafeTensor tensor) => tensor.DType == SafeTensorType.I64
        ? SafeTensorEntry.Of(name, tensor.Shape, tensor.ToInt64s())
        : SafeTensorEntry.Of(name, tensor.Shape, tensor.ToSingles());
}
