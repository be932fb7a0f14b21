using System.Buffers.Binary;
using Fathom.Training.Data;

namespace Fathom.Training.Tests.Data;

public sealed class IdxTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static byte[] Idx(byte type, int[] extents, params byte[] values)
    {
        byte[] big = [.. extents.SelectMany(e => BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(e)))];
        return [0, 0, type, (byte)extents.Length, .. big, .. values];
    }

    private void Write(string prefix, string suffix, params byte[] labels)
    {
        byte[] pixels = [.. Enumerable.Range(0, labels.Length * 6).Select(i => (byte)(i * 5))];
        folder.Bytes($"{prefix}-images-idx3-ubyte{suffix}", Idx(8, [labels.Length, 2, 3], pixels));
        folder.Bytes($"{prefix}-labels-idx1-ubyte{suffix}", Idx(8, [labels.Length], labels));
    }

    private string Refused(DataOptions? options = null) =>
        Assert.Throws<DataException>(() => DataSource.Open($"idx:{folder.Path}", options)).Message.Replace(folder.Path + Path.DirectorySeparatorChar, "");

    [Theory]
    [InlineData("")]
    [InlineData(".gz")]
    public void A_folder_gives_its_training_and_test_files(string suffix)
    {
        Write("train", suffix, 0, 1, 2, 1);
        Write("t10k", suffix, 3, 1);
        DataSplit split = DataSource.Open($"idx:{folder.Path}");
        Assert.Equal([2, 3], split.Training.RowShape.ToArray());
        Assert.Equal(Enumerable.Range(0, 24).Select(i => i * 5 / 255f), split.Training.Inputs.ToArray());
        Assert.Equal([0, 1, 2, 1], split.Training.Labels.ToArray());
        Assert.Equal([3, 1], split.Validation.Labels.ToArray());
        Assert.Equal((4, 4), (split.Training.Classes, split.Validation.Classes));

        DataSplit parted = DataSource.Open($"idx:{folder.Path}", new DataOptions { Validation = "0.25" });
        Assert.Equal((3, 1), (parted.Training.Count, parted.Validation.Count));
        DataSplit single = DataSource.Open($"idx:{folder[$"t10k-images-idx3-ubyte{suffix}"]}", new DataOptions { Validation = "0.5" });
        Assert.Equal((1, 1), (single.Training.Count, single.Validation.Count));
        DataSplit same = DataSource.Open($"idx:{folder.Path}", new DataOptions { Validation = $"idx:{folder.Path}" });
        Assert.Equal([3, 1], same.Validation.Labels.ToArray());
    }

    [Fact]
    public void Bytes_that_are_indices_stay_whole_numbers()
    {
        Write("train", "", 0, 1, 2, 1);
        Write("t10k", "", 1, 1);
        DataSplit split = DataSource.Open($"idx:{folder.Path}", new DataOptions { Indices = 256 });
        Assert.Equal(Enumerable.Range(0, 24).Select(i => i * 5f), split.Training.Inputs.ToArray());
        Assert.Equal(Enumerable.Range(0, 12).Select(i => i * 5f), split.Validation.Inputs.ToArray());
    }

    [Fact]
    public void Float_images_are_read_unscaled()
    {
        folder.Bytes("train-images-idx3-ubyte", Idx(0x0D, [2, 1, 1], 0x40, 0x49, 0x0F, 0xDB, 0xBF, 0x80, 0, 0));
        folder.Bytes("train-labels-idx1-ubyte", Idx(8, [2], 0, 1));
        DataSplit split = DataSource.Open($"idx:{folder.Path}", new DataOptions { Validation = "0.5" });
        Assert.Equal([-1f, MathF.PI], split.Training.Inputs.ToArray().Concat(split.Validation.Inputs.ToArray()).Order());
        folder.Bytes("train-images-idx3-ubyte", Idx(0x0D, [2, 1, 1], 0, 0, 0, 0, 0x7F, 0x80, 0, 0));
        Assert.StartsWith("train-images-idx3-ubyte, image 2, value 1: it is", Refused());
    }

    [Fact]
    public void Damaged_images_are_told()
    {
        void Images(params byte[] bytes) => folder.Bytes("train-images-idx3-ubyte", bytes);
        Assert.Contains("holds no training images: it must have train-images-idx3-ubyte", Refused());
        Images([0, 0, 8]);
        Assert.Contains("is cut short: an IDX file starts with 4 bytes", Refused());
        Images([0x50, 0x4B, 3, 4, 0, 0]);
        Assert.Contains("its magic number is 0x504B0304, but must be 0x000008NN", Refused());
        Images([0, 0, 8, 3, 0, 0, 0, 2, 0]);
        Assert.Contains("3 dimensions are promised, but 1 are there", Refused());
        Images(Idx(8, [2, 2, 2], 1, 2, 3));
        Assert.Contains("is cut short: its header promises 8 bytes of values (2×2×2), but it has 3.", Refused());
        Images(Idx(8, [1, 1, 2], 1, 2, 3));
        Assert.Contains("is too long: its header promises 2 bytes", Refused());
        Images(Idx(8, [int.MaxValue, int.MaxValue, int.MaxValue]));
        Assert.Contains("the values at most", Refused());
        Images(Idx(8, [-1, 2, 2]));
        Assert.Contains("each must be at least 1", Refused());
        Images(Idx(8, [3], 1, 2, 3));
        Assert.Contains("has 1 dimension, as labels have", Refused());
    }

    /// <summary>In gzip the length is not known beforehand; it must neither be believed nor reserved.</summary>
    [Fact]
    public void A_compressed_file_that_promises_too_much_costs_no_memory()
    {
        folder.Bytes("train-images-idx3-ubyte.gz", Idx(8, [2000, 1000, 1000], new byte[100]));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("promises 2000000000 bytes of values (2000×1000×1000), but it has 100.", Refused());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
    }

    [Fact]
    public void Labels_must_fit_the_images()
    {
        Write("train", "", 0, 1, 9);
        Assert.Equal("train-labels-idx1-ubyte, label 3: it is 9, but 5 classes allow 0 to 4.", Refused(new DataOptions { Classes = 5 }));
        folder.Bytes("train-labels-idx1-ubyte", Idx(8, [2], 0, 1));
        Assert.Equal("train-images-idx3-ubyte has 3 images, but train-labels-idx1-ubyte has 2 labels; there must be one for each.", Refused());
        folder.Bytes("train-labels-idx1-ubyte", Idx(8, [2, 1], 0, 1));
        Assert.Contains("holds no labels", Refused());
        File.Delete(folder["train-labels-idx1-ubyte"]);
        Assert.Contains("has no labels beside it: train-labels-idx1-ubyte must lie in the same folder.", Refused());
    }

    /// <summary>Counts and moments as Zalando and MNIST publish them: 0.2860 and 0.3530.</summary>
    [DataFact]
    public void Fashion_mnist_has_its_published_moments()
    {
        DataSplit split = DataSource.Open($"idx:{Path.Combine(DataFactAttribute.Folder!, "fashion-mnist")}");
        Assert.Equal((60_000, 10_000), (split.Training.Count, split.Validation.Count));
        Assert.Equal([28, 28], split.Training.RowShape.ToArray());
        Assert.All(split.Training.Statistics.ClassCounts, c => Assert.Equal(6000, c));
        Assert.Equal(0.2860, split.Training.Statistics.Mean, 0.0001);
        Assert.Equal(0.3530, Math.Sqrt(split.Training.Statistics.Variance), 0.0001);
    }

    [DataFact]
    public void The_small_mnist_is_read()
    {
        DataSplit split = DataSource.Open($"idx:{Path.Combine(DataFactAttribute.Folder!, "mnist-10k")}");
        Assert.Equal((9000, 1000, 10), (split.Training.Count, split.Validation.Count, split.Training.Classes));
    }
}
