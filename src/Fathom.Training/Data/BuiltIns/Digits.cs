using System.Collections.Immutable;
using System.IO.Compression;
using Fathom.Training.Data.Csv;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>
/// Grey 8×8 images of handwritten digits, embedded in the assembly: 1,797 rows of 64 pixels, scaled from 0–16 to 0–1.
/// </summary>
internal sealed class Digits : BuiltIn
{
    private const float Brightest = 16;

    private static readonly Lazy<DataSet> Loaded = new(Load);

    public override string Name => "digits";

    public override string Summary => "1,797 handwritten digits as 8×8 grey images; 64 features from 0 to 1, 10 classes";

    public override ImmutableArray<BuiltInParameter> Parameters => [];

    public override bool Drawn => false;

    internal override DataSet Create(BuiltInArguments arguments) => Loaded.Value;

    private static DataSet Load()
    {
        using Stream resource = typeof(Digits).Assembly.GetManifestResourceStream("digits.csv.gz")
            ?? throw new InvalidOperationException("The assembly was built without its embedded digits.");
        using var plain = new GZipStream(resource, CompressionMode.Decompress);
        DataSet raw = CsvReader.Read(plain, length: null, "digits", DataOptions.Default, []);
        float[] pixels = raw.Inputs.ToArray();
        for (int i = 0; i < pixels.Length; i++)
        {
            pixels[i] /= Brightest;
        }
        return DataSet.OfLabels("digits", raw.RowShape, pixels, raw.Labels.ToArray(), raw.Classes,
            credit: "UCI \"Optical Recognition of Handwritten Digits\" (E. Alpaydin, C. Kaynak), CC BY 4.0");
    }
}
