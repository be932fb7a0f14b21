using System.Text.Json;
using Fathom.Testing;
using Fathom.Testing.Reference;
using Fathom.Formats.SafeTensors;

namespace Fathom.Formats.Tests.SafeTensors;

/// <summary>Reads files that PyTorch's own generator wrote.</summary>
public sealed class ReferenceVectorTests
{
    [ReferenceFact]
    public void Every_tensor_of_every_file_is_read()
    {
        string[] paths = Directory.GetFiles(RepositoryFiles.ReferenceFolder, "*.safetensors");
        Assert.NotEmpty(paths);
        foreach (string path in paths)
        {
            SafeTensorsFile file = SafeTensorsFile.Open(path);
            Assert.NotEmpty(file.Names);
            foreach (string name in file.Names)
            {
                SafeTensor tensor = file.Tensor(name);
                long elements = tensor.Shape.Aggregate(1L, (product, extent) => product * extent);
                Assert.True(tensor.DType is SafeTensorType.F32 or SafeTensorType.I64, name);
                Assert.Equal(elements, tensor.DType == SafeTensorType.F32 ? tensor.ToSingles().Length : tensor.ToInt64s().Length);
            }
        }
    }

    /// <summary>The values are the right ones if they satisfy y = x Wᵀ + b, with the index's own tolerance.</summary>
    [ReferenceFact]
    public void Linear_cases_satisfy_their_equation()
    {
        SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(RepositoryFiles.ReferenceFolder, "linear.safetensors"));
        using JsonDocument index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(RepositoryFiles.ReferenceFolder, "index.json")));
        int cases = 0;
        foreach (JsonElement entry in index.RootElement.GetProperty("cases").EnumerateArray().Where(IsLinear))
        {
            string id = entry.GetProperty("id").GetString()!;
            SafeTensor weight = file.Tensor($"{id}/weight");
            (int outputs, int inputs) = (weight.Shape[0], weight.Shape[1]);
            double[] x = file.Tensor($"{id}/x").ToDoubles(), w = weight.ToDoubles(), y = file.Tensor($"{id}/y").ToDoubles();
            double[] b = file.Contains($"{id}/bias") ? file.Tensor($"{id}/bias").ToDoubles() : new double[outputs];
            double rtol = entry.GetProperty("tolerance").GetProperty("rtol").GetDouble(), atol = entry.GetProperty("tolerance").GetProperty("atol").GetDouble();
            for (int i = 0; i < y.Length; i++)
            {
                (int row, int column) = (i / outputs, i % outputs);
                double expected = b[column] + Enumerable.Range(0, inputs).Sum(k => x[(row * inputs) + k] * w[(column * inputs) + k]);
                Assert.InRange(y[i], expected - atol - (rtol * Math.Abs(expected)), expected + atol + (rtol * Math.Abs(expected)));
            }
            cases++;
        }
        Assert.True(cases > 3);
    }

    private static bool IsLinear(JsonElement entry) =>
        entry.GetProperty("file").GetString() == "linear.safetensors" && entry.GetProperty("op").GetString() == "linear";
}
