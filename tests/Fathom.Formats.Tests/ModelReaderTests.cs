using System.IO.Compression;
using System.Text;
using Fathom.Formats.ModelFile;

namespace Fathom.Formats.Tests;

public sealed class ModelReaderTests : IDisposable
{
    private const string Json = """{"class_name":"Sequential","config":{"name":"s","layers":[{"class_name":"Dense","config":{"name":"d","units":2}}],"build_input_shape":[null,4]}}""";
    private const string Yaml = "fathom: 1\ninput: 4\nlayers: [{dense: 2}]\nloss: mse\noptimizer: sgd\n";

    private readonly string folder = Directory.CreateTempSubdirectory("fathom-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void ContentDecidesTheFormat()
    {
        Assert.Equal("dense_1", ModelReader.Read(Write("a.txt", Yaml)).Graph.Output.Name);
        Assert.Equal("dense_1", ModelReader.Read(Write("b", "\ufeff" + Yaml)).Graph.Output.Name);
        Assert.Equal("d", ModelReader.Read(Write("c.txt", "\n  " + Json)).Graph.Output.Name);
        Assert.Equal("d", ModelReader.Read(Write("d.zip", Archive(("metadata.json", "{}"), ("config.json", Json)))).Graph.Output.Name);
    }

    [Theory]
    [InlineData("[{dense: 2}, softmax]", "cross_entropy", "softmax_1 (softmax) gives probabilities, but the loss cross_entropy takes logits and applies a softmax of its own: leave softmax_1 out, or set from_logits: false")]
    [InlineData("[{dense: 2}, softmax]", "{cross_entropy: {from_logits: false}}", null)]
    [InlineData("[{dense: 2}]", "cross_entropy", null)]
    [InlineData("[{dense: 1}]", "{binary_cross_entropy: {from_logits: false}}", "dense_1 (dense) gives any numbers, but the loss binary_cross_entropy takes probabilities: end in a sigmoid, or set from_logits: true")]
    [InlineData("[{dense: 3}]", "margin", "dense_1 (dense) gives any numbers, but the loss margin takes lengths of capsules from 0 to 1: end in capsule_length")]
    [InlineData("[{reshape: [2, 2]}, {capsule: {capsules: 3, size: 2}}, capsule_length]", "margin", null)]
    public void OutputAndLossThatDoNotFitAreWarnedOf(string layers, string loss, string? warning)
    {
        string path = Write("w.yaml", $"fathom: 1\ninput: 4\nlayers: {layers}\nloss: {loss}\noptimizer: sgd\n");
        Assert.Equal(warning, ModelReader.Load(path).Warnings.SingleOrDefault());
    }

    [Fact]
    public void MissingFileNamesTheNearest()
    {
        Write("deep-sigmoid.yaml", Yaml);
        AssertError(Path.Combine(folder, "deep-sigmiod.yaml"), "there is no such file, nearest in its folder is 'deep-sigmoid.yaml'");
        AssertError(Path.Combine(folder, "else"), "there is no such file");
        AssertError(Path.Combine(folder, "no", "m.yaml"), $"there is no such file, and no folder '{Path.Combine(folder, "no")}'");
        AssertError(folder, "this is a folder; a model file is expected");
    }

    [Fact]
    public void BrokenArchivesAreToldApart()
    {
        byte[] whole = Archive(("config.json", Json), ("metadata.json", "{}"));
        AssertError(Write("x.keras", whole[..(whole.Length / 2)]), "the archive is damaged or cut off: ", isStart: true);
        AssertError(Write("y.keras", Archive(("model.weights.h5", "x"))), "the archive has no config.json; it holds model.weights.h5");
        AssertError(Write("z.keras", "no zip"), "this is no .keras archive (a zip with config.json)");
        AssertError(Write("h.keras", [0x89, (byte)'H', (byte)'D', (byte)'F', 13, 10]), "this is an HDF5 file, Keras' old format; save it as .keras, or write model.to_json() to a .json file");
        AssertError(Write("e.keras", Archive(("config.json", ""))), ":1:1: no valid JSON: ", isStart: true, separator: "");
    }

    [Fact]
    public void ArchiveThatUnpacksToTooMuchIsRefused() =>
        AssertError(Write("bomb.keras", Archive(("config.json", new string(' ', 70 << 20)))), "config.json in the archive is larger than 64 MiB");

    [Fact]
    public void BytesThatAreNoTextAreRefused() =>
        AssertError(Write("m.yaml", [0x66, 0xff, 0xfe, 0x80]), "this is no text in UTF-8; a YAML model file, Keras JSON or a .keras archive is expected");

    [Fact]
    public void JsonThatIsNoModelIsRefused()
    {
        AssertError(Write("a.json", "{}"), "this is JSON, but no Keras model: it has no 'class_name'; write it with model.to_json()");
        AssertError(Write("b.json", "[]"), "a JSON object is expected, a list is given");
        AssertError(Write("c.json", "{\"class_name\": \"Seq"), ":1:20: no valid JSON: ", isStart: true, separator: "");
        AssertError(Write("d.json", string.Concat(Enumerable.Repeat("{\"a\":", 100_000))), ":1:", isStart: true, separator: "");
        AssertError(Write("f.json", Json.Replace("\"d\"", "\"\\ud800\"", StringComparison.Ordinal)), "a text in it is no valid Unicode: ", isStart: true);
        AssertError(Write("e.json", "{\"class_name\": \"MyModel\", \"config\": {}}"), "key 'class_name': 'MyModel' is no model whose layers are listed; allowed: Sequential, Functional, Model");
    }

    /// <summary>Whatever is done to a good file, the reader reads it or says in one line why not.</summary>
    [Xunit.Theory]
    [InlineData("yaml")]
    [InlineData("json")]
    [InlineData("keras")]
    public void MutatedFilesFailOnlyInTheOneWay(string format)
    {
        byte[] yaml = Encoding.UTF8.GetBytes("""
            fathom: 1
            data: {source: "csv:a", validation: 0.2}
            input: [4, 3]
            layers:
              - flatten
              - repeat: 3
                layers:
                  - {dense: &a {units: 6, bias: false, weight: {variance_scaling: {scale: 2, mode: out}}}, name: x}
                  - leaky_relu: 1e-3
              - batch_norm: {momentum: 0.2}
              - {add: , from: [x_3, -1]}
              - dense: *a
            output: dense_1
            loss: {huber: {delta: 0.5}}
            optimizer: {adam: {learning_rate: 1e-3}}
            schedule: {warmup: {steps: 5, then: {multi_step: {milestones: [1, 2]}}}}
            clip: global_norm
            """);
        byte[] json = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Keras", "Data", "keras3-functional.json"));
        byte[] good = format switch { "yaml" => yaml, "json" => json, _ => Archive(("metadata.json", "{}"), ("config.json", Encoding.UTF8.GetString(json))) };
        Assert.NotNull(ModelReader.Load(Write("good", good)));
        Random random = new(7);
        string path = Path.Combine(folder, format == "keras" ? "m.keras" : "m");
        int read = 0;
        for (int i = 0; i < 2500; i++)
        {
            byte[] bad = Mutate(good, random);
            File.WriteAllBytes(path, bad);
            try
            {
                ModelReader.Load(path);
                read++;
            }
            catch (ModelFormatException error)
            {
                Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', error.Message);
            }
        }
        Assert.InRange(read, 1, 2499);
    }

    private static byte[] Mutate(byte[] good, Random random)
    {
        List<byte> bytes = [.. good];
        ReadOnlySpan<string> pieces = ["[", "]", "{", "}", ": ", "- ", "\n", "null", "-1", "1e999", "0", "*a", "&b ", "\"", "99999999999999999999", "\t", "!!int ", "|", ">", "%", "\u2028", ",", "'", "true", "? "];
        for (int change = random.Next(1, 4); change > 0; change--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 12), bytes.Count - at);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.RemoveRange(at, length); break;
                case 2: bytes.InsertRange(at, Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)])); break;
                case 3: bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length)); break;
                default: bytes.RemoveRange(at, length); bytes.InsertRange(at, Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)])); break;
            }
        }
        return [.. bytes];
    }

    private string Write(string name, string content) => Write(name, Encoding.UTF8.GetBytes(content));

    private string Write(string name, byte[] content)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    private static byte[] Archive(params ReadOnlySpan<(string Name, string Text)> entries)
    {
        using MemoryStream stream = new();
        using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, string text) in entries)
            {
                using Stream entry = archive.CreateEntry(name).Open();
                entry.Write(Encoding.UTF8.GetBytes(text));
            }
        }
        return stream.ToArray();
    }

    private static void AssertError(string path, string message, bool isStart = false, string separator = ": ")
    {
        string actual = Assert.Throws<ModelFormatException>(() => ModelReader.Read(path)).Message;
        if (isStart)
        {
            Assert.StartsWith(path + separator + message, actual, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(path + separator + message, actual);
        }
    }
}
