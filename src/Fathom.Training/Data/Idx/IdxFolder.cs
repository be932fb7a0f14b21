using System.Buffers.Binary;

namespace Fathom.Training.Data.Idx;

/// <summary>Images and labels in IDX files, laid out as MNIST's are.</summary>
internal static class IdxFolder
{
    private const float Brightest = 255;

    /// <summary>The images to train on: the path itself if it is a file, else the folder's training images.</summary>
    public static string TrainingImages(string path)
    {
        if (!Directory.Exists(path))
        {
            return path;
        }
        return Find(path, "train-images")
            ?? throw new DataException($"{path} holds no training images: it must have train-images-idx3-ubyte or train-images-idx3-ubyte.gz.");
    }

    /// <summary>The folder's test images, or null if it has none or the path is a file.</summary>
    public static string? TestImages(string path) => Directory.Exists(path) ? Find(path, "t10k-images") : null;

    /// <summary>Reads the images, and the labels that lie beside them.</summary>
    public static DataSet Read(string imagePath, DataOptions options)
    {
        IdxFile images = IdxFile.Read(imagePath);
        if (images.Extents.Length < 2)
        {
            throw new DataException($"{imagePath} has 1 dimension, as labels have; images have at least 2, the first being their number.");
        }
        IdxFile labels = IdxFile.Read(LabelsBeside(imagePath));
        if (labels.Extents.Length != 1 || labels.Type != IdxFile.UnsignedByte)
        {
            throw new DataException($"{labels.Path} holds no labels: they are bytes in 1 dimension, but these are {(labels.Type == IdxFile.Single ? "float32" : "bytes")} in {labels.Extents.Length}.");
        }
        int count = images.Extents[0];
        if (labels.Extents[0] != count)
        {
            throw new DataException($"{imagePath} has {count} images, but {labels.Path} has {labels.Extents[0]} labels; there must be one for each.");
        }
        if (count < 2)
        {
            throw new DataException($"{imagePath} has 1 image only; it must have at least 2.");
        }
        int[] indices = Labels(labels, options.Classes);
        return DataSet.OfLabels(imagePath, [.. images.Extents[1..]], Inputs(images, options.Indices is null ? Brightest : 1), indices, options.Classes ?? indices.Max() + 1);
    }

    private static float[] Inputs(IdxFile images, float brightest)
    {
        byte[] bytes = images.Values;
        if (images.Type == IdxFile.UnsignedByte)
        {
            var scaled = new float[bytes.Length];
            for (int i = 0; i < bytes.Length; i++)
            {
                scaled[i] = bytes[i] / brightest;
            }
            return scaled;
        }
        var values = new float[bytes.Length / sizeof(float)];
        int features = values.Length / images.Extents[0];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BinaryPrimitives.ReadSingleBigEndian(bytes.AsSpan(i * sizeof(float)));
            if (!float.IsFinite(values[i]))
            {
                throw new DataException($"{images.Path}, image {(i / features) + 1}, value {(i % features) + 1}: it is {values[i]}; values must be finite.");
            }
        }
        return values;
    }

    private static int[] Labels(IdxFile labels, int? classes)
    {
        var indices = new int[labels.Values.Length];
        for (int i = 0; i < indices.Length; i++)
        {
            indices[i] = labels.Values[i];
            if (indices[i] >= classes)
            {
                throw new DataException($"{labels.Path}, label {i + 1}: it is {indices[i]}, but {classes} classes allow 0 to {classes - 1}.");
            }
        }
        return indices;
    }

    /// <summary>Both MNIST's own file names and those with a dot are about, each with gzip or without.</summary>
    private static string? Find(string folder, string stem)
    {
        string[] names = [$"{stem}-idx3-ubyte", $"{stem}-idx3-ubyte.gz", $"{stem}.idx3-ubyte", $"{stem}.idx3-ubyte.gz"];
        return names.Select(n => Path.Combine(folder, n)).FirstOrDefault(File.Exists);
    }

    private static string LabelsBeside(string imagePath)
    {
        string folder = Path.GetDirectoryName(imagePath) ?? "";
        string images = Path.GetFileName(imagePath);
        string labels = images.Replace("images", "labels").Replace("idx3", "idx1");
        if (labels == images)
        {
            throw new DataException($"{imagePath} is not named as images are, such as train-images-idx3-ubyte, so that its labels cannot be found.");
        }
        string plain = labels.EndsWith(".gz", StringComparison.Ordinal) ? labels[..^3] : labels;
        string[] names = [labels, plain, plain + ".gz"];
        return names.Select(n => Path.Combine(folder, n)).FirstOrDefault(File.Exists)
            ?? throw new DataException($"{imagePath} has no labels beside it: {labels} must lie in the same folder.");
    }
}
