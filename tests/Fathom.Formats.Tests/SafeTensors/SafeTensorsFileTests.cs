using System.Text;
using System.Text.Json;
using Fathom.Formats.SafeTensors;

namespace Fathom.Formats.Tests.SafeTensors;

public sealed class SafeTensorsFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fathom-").FullName;

    private string PathOf(string name) => Path.Combine(folder, name);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>The file's bytes by hand: none of the code under test.</summary>
    private string Raw(string json, params byte[] data)
    {
        byte[] header = Encoding.UTF8.GetBytes(json);
        string path = PathOf("raw.safetensors");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. data]);
        return path;
    }

    [Fact]
    public void Every_type_is_decoded_by_its_own_rule()
    {
        // Encodings by hand from IEEE 754: 1.5 is 0x3E00 in half, 0x3FC0 in bfloat16, 0x3FC00000 in single.
        string path = Raw(
            """
            {"__metadata__":{"format":"pt"},
             "f16":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},
             "bf16":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},
             "f32":{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]},
             "f64":{"dtype":"F64","shape":[],"data_offsets":[16,24]},
             "i32":{"dtype":"I32","shape":[1],"data_offsets":[24,28]},
             "i64":{"dtype":"I64","shape":[1],"data_offsets":[28,36]},
             "u8":{"dtype":"U8","shape":[1],"data_offsets":[36,37]},
             "i8":{"dtype":"I8","shape":[1],"data_offsets":[37,38]},
             "bool":{"dtype":"BOOL","shape":[3],"data_offsets":[38,41]},
             "none":{"dtype":"F32","shape":[0,3],"data_offsets":[41,41]}}
            """,
            0x00, 0x3E, 0x01, 0x00, 0x00, 0xFC, 0x00, 0x80, // 1.5, 2^-24, -inf, -0
            0xC0, 0x3F, 0x80, 0xFF, // 1.5, -inf
            0x00, 0x00, 0xC0, 0xBF, // -1.5
            0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0xB9, 0x3F, // 0.1
            0xFE, 0xFF, 0xFF, 0xFF, // -2
            0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, // 2^63 - 1
            0xFF, 0xFF, 0x00, 0x01, 0x02);
        SafeTensorsFile file = SafeTensorsFile.Open(path);

        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(["f16", "bf16", "f32", "f64", "i32", "i64", "u8", "i8", "bool", "none"], file.Names.ToArray());
        Assert.Equal([1.5f, MathF.Pow(2, -24), float.NegativeInfinity, -0f], file.Tensor("f16").ToSingles());
        Assert.True(float.IsNegative(file.Tensor("f16").ToSingles()[3]));
        Assert.Equal([1.5, double.NegativeInfinity], file.Tensor("bf16").ToDoubles());
        Assert.Equal([-1.5f], file.Tensor("f32").ToSingles());
        Assert.Equal([1, 1], file.Tensor("f32").Shape.ToArray());
        Assert.Equal([0.1], file.Tensor("f64").ToDoubles());
        Assert.Equal([0.1f], file.Tensor("f64").ToSingles());
        Assert.Empty(file.Tensor("f64").Shape);
        Assert.Equal([-2L], file.Tensor("i32").ToInt64s());
        Assert.Equal([long.MaxValue], file.Tensor("i64").ToInt64s());
        Assert.Equal([255L], file.Tensor("u8").ToInt64s());
        Assert.Equal([-1L], file.Tensor("i8").ToInt64s());
        Assert.Equal([0f, 1f, 1f], file.Tensor("bool").ToSingles());
        Assert.Empty(file.Tensor("none").ToSingles());
    }

    [Fact]
    public void What_is_written_is_read_again_bit_by_bit()
    {
        string path = PathOf("written.safetensors");
        float[] singles = [.. Enumerable.Range(0, 30_000).Select(i => MathF.Sin(i)), float.NaN, float.PositiveInfinity, 1e-45f, -0f];
        SafeTensorsFile.Write(path,
            [
                SafeTensorEntry.Of("weight/ö \"1\"", [2, 15_002], singles),
                SafeTensorEntry.Of("steps", [], [long.MinValue]),
                SafeTensorEntry.Of("exact", [3], [0.1, double.Epsilon, double.MaxValue]),
                SafeTensorEntry.Of("empty", [0, 7], Array.Empty<float>()),
            ],
            new Dictionary<string, string> { ["made by"] = "a test" });
        SafeTensorsFile file = SafeTensorsFile.Open(path);

        Assert.Equal(singles.Select(BitConverter.SingleToInt32Bits), file.Tensor("weight/ö \"1\"").ToSingles().Select(BitConverter.SingleToInt32Bits));
        Assert.Equal([2, 15_002], file.Tensor("weight/ö \"1\"").Shape.ToArray());
        Assert.Equal([long.MinValue], file.Tensor("steps").ToInt64s());
        Assert.Equal([0.1, double.Epsilon, double.MaxValue], file.Tensor("exact").ToDoubles());
        Assert.Equal([0, 7], file.Tensor("empty").Shape.ToArray());
        Assert.Equal("a test", file.Metadata["made by"]);
        Assert.Equal([path], Directory.GetFiles(folder));
    }

    [Fact]
    public void A_written_file_is_laid_out_as_the_format_says()
    {
        string path = PathOf("layout.safetensors");
        SafeTensorsFile.Write(path, [SafeTensorEntry.Of("a", [1], [1f]), SafeTensorEntry.Of("b", [1], [2L])]);
        byte[] bytes = File.ReadAllBytes(path);
        int header = (int)BitConverter.ToUInt64(bytes);
        Assert.Equal(0, header % 8);
        using JsonDocument json = JsonDocument.Parse(bytes.AsMemory(8, header));
        int a = json.RootElement.GetProperty("a").GetProperty("data_offsets")[0].GetInt32();
        int b = json.RootElement.GetProperty("b").GetProperty("data_offsets")[0].GetInt32();
        Assert.Equal(1f, BitConverter.ToSingle(bytes, 8 + header + a));
        Assert.Equal(2L, BitConverter.ToInt64(bytes, 8 + header + b));
        Assert.Equal(8 + header + 12, bytes.Length);
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_nothing_else()
    {
        string path = PathOf("kept.safetensors");
        SafeTensorsFile.Write(path, [SafeTensorEntry.Of("a", [1], [1f])]);
        SafeTensorEntry entry = SafeTensorEntry.Of("a", [1], [2f]);
        Assert.Throws<ArgumentException>(() => SafeTensorsFile.Write(path, [entry, entry]));
        Assert.Throws<ArgumentException>(() => SafeTensorsFile.Write(path, [SafeTensorEntry.Of("__metadata__", [1], [2f])]));
        Assert.Throws<ArgumentException>(() => SafeTensorEntry.Of("a", [2, 2], [2f]));
        Directory.CreateDirectory(PathOf("taken"));
        Assert.ThrowsAny<Exception>(() => SafeTensorsFile.Write(PathOf("taken"), [entry]));
        Assert.Equal([1f], SafeTensorsFile.Open(path).Tensor("a").ToSingles());
        Assert.Equal([path], Directory.GetFiles(folder));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}""", "takes 4 bytes, but its offsets span 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "lie at bytes 0 to 12, but there are 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", "lie at bytes 4 to 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "'a' and 'b' overlap at byte 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "no tensor has bytes 0 to 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "take 4 bytes, but it has 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "shape of tensor 'a' must be an array of whole numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}""", "shape of tensor 'a' must be")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}""", "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,8]}}""", "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", "shape of tensor 'a' must be")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", "dtype 'F31'; supported are BOOL")]
    [InlineData("""{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}""", "dtype 'Number'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", "must have dtype, shape and two data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}}""", "two data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "listed twice")]
    [InlineData("""{"a":[1]}""", "'a' must be a JSON object")]
    [InlineData("""{"__metadata__":{"x":1}}""", "must be a string")]
    [InlineData("""{"a":{"dtype":"F32",""", "no valid JSON")]
    [InlineData("""{"\ud800":{}}""", "no valid JSON")]
    [InlineData("""{} {}""", "no valid JSON")]
    [InlineData("""[]""", "not a JSON object")]
    [InlineData("", "not a JSON object")]
    public void A_bad_header_is_told_in_one_line(string json, string expected)
    {
        var error = Assert.Throws<SafeTensorsException>(() => SafeTensorsFile.Open(Raw(json, new byte[8])));
        Assert.Contains(expected, error.Message);
        Assert.Contains("raw.safetensors", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Broken_lengths_are_told_without_reserving_them()
    {
        string path = PathOf("broken");
        File.WriteAllBytes(path, [1, 2, 3]);
        Assert.Contains("cut short: it has 3 bytes", Assert.Throws<SafeTensorsException>(() => SafeTensorsFile.Open(path)).Message);
        File.WriteAllBytes(path, BitConverter.GetBytes(ulong.MaxValue));
        Assert.Contains("at most 100000000 are allowed", Assert.Throws<SafeTensorsException>(() => SafeTensorsFile.Open(path)).Message);
        File.WriteAllBytes(path, BitConverter.GetBytes(99_000_000UL));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("0 are left in the file", Assert.Throws<SafeTensorsException>(() => SafeTensorsFile.Open(path)).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Contains("There is no file", Assert.Throws<SafeTensorsException>(() => SafeTensorsFile.Open(PathOf("none"))).Message);
        Assert.Throws<SafeTensorsException>(() => SafeTensorsFile.Open(folder));
    }

    [Fact]
    public void Wrong_requests_are_told()
    {
        SafeTensorsFile file = SafeTensorsFile.Open(Raw("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", new byte[8]));
        Assert.Contains("no tensor 'b'; it has 'a'", Assert.Throws<SafeTensorsException>(() => file.Tensor("b")).Message);
        Assert.Contains("'a' is F32, but whole numbers", Assert.Throws<SafeTensorsException>(() => file.Tensor("a").ToInt64s()).Message);
        SafeTensor tensor = file.Tensor("a");
        File.WriteAllBytes(file.Path, [1]);
        Assert.Contains("has changed", Assert.Throws<SafeTensorsException>(() => tensor.ToSingles()).Message);
    }

    /// <summary>Whatever is flipped, a file is read or refused with its own exception.</summary>
    [Fact]
    public void Flipped_bytes_never_do_worse_than_the_documented_exception()
    {
        string path = PathOf("fuzz.safetensors");
        SafeTensorsFile.Write(path,
            [SafeTensorEntry.Of("w", [2, 3], new float[6]), SafeTensorEntry.Of("n", [2], new long[2]), SafeTensorEntry.Of("d", [1], new double[1])],
            new Dictionary<string, string> { ["k"] = "v" });
        byte[] good = File.ReadAllBytes(path);
        var random = new Random(20240607);
        int refused = 0;
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = [.. good];
            for (int flips = random.Next(1, 5); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)"0123456789[]{},:\""[random.Next(17)];
            }
            if (random.Next(4) == 0)
            {
                bytes = bytes[..random.Next(bytes.Length)];
            }
            File.WriteAllBytes(path, bytes);
            try
            {
                SafeTensorsFile file = SafeTensorsFile.Open(path);
                foreach (string name in file.Names)
                {
                    SafeTensor tensor = file.Tensor(name);
                    Assert.Equal(tensor.Count, tensor.ToDoubles().Length);
                }
            }
            catch (SafeTensorsException error)
            {
                Assert.DoesNotContain('\n', error.Message);
                refused++;
            }
        }
        Assert.InRange(refused, 1000, 2999);
    }
}
