using System.Globalization;
using System.Text;
using Fathom.Training.Data;

namespace Fathom.Training.Tests.Data;

public sealed class CsvTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>All rows of a text: a copy of the file validates, so that no row is split off.</summary>
    private DataSet Read(string text, DataOptions? options = null, string name = "d.csv")
    {
        string path = folder.Text(name, text), copy = folder.Text("copy-" + name, text);
        return DataSource.Open($"csv:{path}", (options ?? DataOptions.Default) with { Validation = $"csv:{copy}" }).Training;
    }

    private string Refused(string text, DataOptions? options = null)
    {
        string path = folder.Text("d.csv", text);
        string message = Assert.Throws<DataException>(() => DataSource.Open($"csv:{path}", options)).Message;
        Assert.DoesNotContain('\n', message);
        return message.Replace(path, "d.csv");
    }

    [Theory]
    [InlineData("1,2,0\n3,4,1\n", "d.csv")]
    [InlineData("1;2;0\r\n\r\n3;4;1", "d.csv")]
    [InlineData("\uFEFF1\t2\t0\n  \n3\t4\t1\n\n", "d.csv")]
    [InlineData(" 1 , \"2\",0\n+3e0,4.0,1\n", "d.csv.gz")]
    [InlineData("a,b,label\n1,2,0\n3,4,1\n", "d.csv")]
    [InlineData("\"a \"\"1\"\", x\",\"two\nlines\",label\n1,2,0\n3,4,1\n", "d.csv")]
    [InlineData("0,1,label\n1,2,0\n3,4,1\n", "d.csv")]
    public void Every_dialect_gives_the_same_rows(string text, string name)
    {
        DataSet data = Read(text, name: name);
        Assert.Equal([1f, 2f, 3f, 4f], data.Inputs.ToArray());
        Assert.Equal([0, 1], data.Labels.ToArray());
        Assert.Equal((TargetKind.Label, 2), (data.Kind, data.Classes));
    }

    [Fact]
    public void Header_names_are_kept_without_the_label()
    {
        Assert.Equal(["a \"1\", x", "c"], Read("\"a \"\"1\"\", x\",label,c\n1,1,2\n3,0,4\n", new DataOptions { LabelColumn = "label" }).FeatureNames.ToArray());
        DataSet data = Read("y,a,b\n1,5,6\n0,7,8\n", new DataOptions { LabelColumn = "y" });
        Assert.Equal([5f, 6f, 7f, 8f], data.Inputs.ToArray());
        Assert.Equal([1, 0], data.Labels.ToArray());
    }

    [Theory]
    [InlineData("1,setosa\n2,Virginica\n3,setosa\n")]
    [InlineData("width,species\n1,setosa\n2,Virginica\n3,setosa\n")]
    public void Class_names_become_indices_in_sorted_order(string text)
    {
        DataSet data = Read(text);
        Assert.Equal(["Virginica", "setosa"], data.ClassNames.ToArray());
        Assert.Equal([1, 0, 1], data.Labels.ToArray());
    }

    [Fact]
    public void Targets_are_real_if_they_are_fractions_or_asked_to_be()
    {
        Assert.Equal([-1f, 0.5f], Read("1,-1\n2,0.5\n").Targets.ToArray());
        Assert.Equal([-1f, 3f], Read("1,-1\n2,3\n", new DataOptions { Target = TargetKind.Real }).Targets.ToArray());
        Assert.Equal(10, Read("1,1\n2,0\n", new DataOptions { Classes = 10 }).Classes);
    }

    [Theory]
    [InlineData("", "d.csv is empty; it must have at least 2 rows of numbers and a label.")]
    [InlineData("\n \n", "d.csv is empty; it must have at least 2 rows of numbers and a label.")]
    [InlineData("a,b,label\n", "d.csv has a header but no rows; it must have at least 2.")]
    [InlineData("1,2,0\n", "d.csv has 1 row only; it must have at least 2.")]
    [InlineData("1\n2\n", "d.csv, line 1: there is one field only; a row needs at least one number and a label, parted by ',', ';' or a tab.")]
    [InlineData("1,2,0\n\n3,1\n", "d.csv, line 3: there are 2 fields parted by ',', but the first row has 3.")]
    [InlineData("1;2;0\n3;4;1;5\n", "d.csv, line 2: there are 4 fields parted by ';', but the first row has 3.")]
    [InlineData("1,2,0\n3,x,1,5\n", "d.csv, line 2: there are 4 fields parted by ',', but the first row has 3.")]
    [InlineData("a,b,c\n1,2,0\n3,four,1\n", "d.csv, line 3, column 2 ('b'): 'four' is not a number.")]
    [InlineData("1,2,0\n3,,1\n", "d.csv, line 2, column 2: the field is empty; fill in a number or leave the row out.")]
    [InlineData("1,,0\n3,4,1\n", "d.csv, line 1, column 2: the field is empty; fill in a number or leave the row out.")]
    [InlineData("1,2,0\n3,nan,1\n", "d.csv, line 2, column 2: 'nan' is not a number that can be trained on; fill in a value or leave the row out.")]
    [InlineData("1,2,0\n-inf,2,1\n", "d.csv, line 2, column 1: '-inf' is infinite or too large for float32 (at most 3.4e38).")]
    [InlineData("1,2,0\n1e39,2,1\n", "d.csv, line 2, column 1: '1e39' is infinite or too large for float32 (at most 3.4e38).")]
    [InlineData("1,5;2,5;0\n1,5;2,5;1\n1;2;0", "d.csv, line 2, column 1 ('1,5'): '1,5' is not a number.")]
    [InlineData("1,2,0\n3,4,-1\n", "d.csv, line 2, column 3: the label is -1, but classes count from 0 (or are -1 and 1); for a regression ask for real targets.")]
    [InlineData("1,2,0\n3,4,70000\n", "d.csv, line 2, column 3: the label is 70000, but classes count from 0 to at most 65535; for a regression ask for real targets.")]
    [InlineData("1,2,0\n3,4,\n", "d.csv, line 2, column 3: the label is empty.")]
    [InlineData("1,2,0\n3,4,cat\n", "d.csv, line 2, column 3: 'cat' is not a number, as the labels before it are.")]
    [InlineData("1,2,0\n3,4,NaN\n", "d.csv, line 2, column 3: the label is 'NaN'; labels must be finite float32 numbers.")]
    [InlineData("1,\"2,0\n3,4,1\n", "d.csv, line 1: a quoted field is never closed; add the missing '\"', or write a quote within a field as '\"\"'.")]
    public void Bad_data_are_told_by_line_and_column(string text, string expected) => Assert.Equal(expected, Refused(text));

    [Fact]
    public void Labels_are_held_against_the_options()
    {
        Assert.Equal("d.csv, line 2, column 2: the label is 12, but 10 classes allow 0 to 9.",
            Refused("1,9\n2,12\n", new DataOptions { Classes = 10 }));
        Assert.Equal("d.csv, line 2, column 2: the label is 0.5, but classes are whole numbers.",
            Refused("1,1\n2,0.5\n", new DataOptions { Target = TargetKind.Label }));
        Assert.Equal("d.csv, line 3, column 2: 'c' is one class name more than the 2 allowed; the file must have at most 2.",
            Refused("1,a\n2,b\n3,c\n", new DataOptions { Classes = 2 }));
        Assert.Equal("d.csv names 2 classes, but 3 were asked for; ask for 2, or number the classes.",
            Refused("1,a\n2,b\n3,a\n", new DataOptions { Classes = 3 }));
        Assert.Equal("d.csv, line 3, column 2 ('b'): '1.5' is no index; the network takes whole numbers from 0 to 8.",
            Refused("a,b,label\n1,2,0\n3,1.5,1\n", new DataOptions { Indices = 9 }));
        Assert.Equal("d.csv, line 2, column 1: '9' is no index; the network takes whole numbers from 0 to 8.",
            Refused("8,2,0\n9,1,1\n", new DataOptions { Indices = 9 }));
        Assert.Contains("Real targets have no classes", Refused("1,0\n2,1\n", new DataOptions { Classes = 3, Target = TargetKind.Real }));
        Assert.Equal("d.csv has no column 'lable'. Did you mean 'label'? Its 3 columns are a, b, label.",
            Refused("a,b,label\n1,2,0\n3,4,1\n", new DataOptions { LabelColumn = "lable" }));
        Assert.Equal("d.csv has no header, so that no column is called 'label'; add a header, or put the label last.",
            Refused("1,2,0\n3,4,1\n", new DataOptions { LabelColumn = "label" }));
        Assert.Equal("d.csv has two columns called 'y' (1 and 3); rename one.",
            Refused("y,b,y\n1,2,0\n3,4,1\n", new DataOptions { LabelColumn = "y" }));
        Assert.Contains("built-in data only", Refused("1,0\n2,1\n", new DataOptions { Samples = 5 }));
    }

    [Fact]
    public void Missing_and_damaged_files_are_told()
    {
        folder.Text("train.csv", "1,0\n2,1\n");
        string Message(string spec) => Assert.Throws<DataException>(() => DataSource.Open(spec)).Message;
        Assert.Equal($"There is no file {folder["trian.csv"]}. Did you mean 'train.csv'?", Message($"csv:{folder["trian.csv"]}"));
        Assert.EndsWith("nor the folder that it would lie in.", Message($"csv:{folder["no/where.csv"]}"));
        Assert.EndsWith("is a folder, but a file is needed.", Message($"csv:{folder.Path}"));
        Assert.StartsWith("The spec names no file", Message("csv:"));
        File.WriteAllText(folder["plain.csv.gz"], "1,0\n2,1\n");
        Assert.EndsWith("is not one whole gzip file: it is damaged, cut short, or joined from several.", Message($"csv:{folder["plain.csv.gz"]}"));
        folder.Text("empty.csv", "");
        File.Move(folder["empty.csv"], folder["empty.csv.gz"]);
        Assert.EndsWith("cut short, or joined from several.", Message($"csv:{folder["empty.csv.gz"]}"));
        byte[] whole = File.ReadAllBytes(folder.Bytes("whole.csv.gz", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("1.25,0\n2,1\n", 5000)))));
        File.WriteAllBytes(folder["cut.csv.gz"], whole[..(whole.Length / 2)]);
        Assert.EndsWith("is not one whole gzip file: it is damaged, cut short, or joined from several.", Message($"csv:{folder["cut.csv.gz"]}"));
        File.WriteAllText(folder["wide.csv"], "1,0\n2,1\n", Encoding.Unicode);
        Assert.EndsWith("is UTF-16 text; save it as UTF-8.", Message($"csv:{folder["wide.csv"]}"));
    }

    [Fact]
    public void A_validation_file_must_fit_the_training_file()
    {
        string training = folder.Text("t.csv", "a,b,c\n1,2,cat\n3,4,dog\n");
        string Message(string text) => Assert.Throws<DataException>(() =>
            DataSource.Open($"csv:{training}", new DataOptions { Validation = $"csv:{folder.Text("v.csv", text)}" })).Message;
        DataSplit split = DataSource.Open($"csv:{training}", new DataOptions { Validation = $"csv:{folder.Text("v.csv", "a,b,c\n5,6,dog\n7,8,dog\n")}" });
        Assert.Equal([1, 1], split.Validation.Labels.ToArray());
        Assert.Equal(2, split.Validation.Classes);
        Assert.Contains("line 2, column 3 ('c'): 'dgo' is no class of the training data. Did you mean 'dog'?", Message("a,b,c\n5,6,dgo\n7,8,cat\n"));
        Assert.Contains("Feature 2 is 'b' in", Message("a,x,c\n5,6,dog\n7,8,cat\n"));
        Assert.Contains("rows of shape [2], but", Message("a,c\n5,dog\n7,cat\n"));
        Assert.Contains("name their classes differently", Message("a,b,c\n5,6,1\n7,8,0\n"));
        Assert.Contains("has labels, but", Message("a,b,c\n5,6,1.5\n7,8,0\n"));
        Assert.Contains("would validate on the training rows", Assert.Throws<DataException>(() =>
            DataSource.Open($"csv:{training}", new DataOptions { Validation = $"csv:{training}" })).Message);
    }

    /// <summary>Rows longer than the read buffer, and values of every kind, against double.Parse.</summary>
    [Fact]
    public void Long_rows_and_odd_numbers_are_read_exactly()
    {
        var random = new Random(5);
        string[][] rows = [.. Enumerable.Range(0, 20).Select(_ => Enumerable.Range(0, 9000).Select(_ => random.Next(4) switch
        {
            0 => random.Next().ToString(CultureInfo.InvariantCulture),
            1 => (random.NextDouble() * Math.Pow(10, random.Next(-40, 38))).ToString("R", CultureInfo.InvariantCulture),
            2 => $"-{random.Next(100)}.{random.Next(1000)}",
            _ => random.Next(256).ToString(CultureInfo.InvariantCulture),
        }).ToArray())];
        DataSet data = Read(string.Concat(rows.Select(r => string.Join(",", r) + ",0\n")));
        Assert.Equal(rows.SelectMany(r => r).Select(t => (float)double.Parse(t, CultureInfo.InvariantCulture)), data.Inputs.ToArray());
    }

    [Fact]
    public void Any_bytes_are_read_or_refused_in_one_line()
    {
        var random = new Random(99);
        byte[] good = Encoding.UTF8.GetBytes("a,\"b\",label\n1,2.5,0\n3,-4e2,1\n5,6,2\n7,8,1\n");
        int refused = 0;
        for (int round = 0; round < 1500; round++)
        {
            byte[] bytes = [.. good];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)",;\t\n\r\"0-e."[random.Next(10)];
            }
            string path = folder.Bytes("fuzz.csv", random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                Assert.True(DataSource.Open($"csv:{path}").Training.Count >= 1);
            }
            catch (DataException error)
            {
                Assert.DoesNotContain('\n', error.Message);
                refused++;
            }
        }
        Assert.InRange(refused, 300, 1450);
    }

    [Fact]
    public void MinusOneAndOneAreTwoClasses()
    {
        string path = Path.Combine(Path.GetTempPath(), Guid.NewGuid() + ".csv");
        File.WriteAllText(path, "1,-1\n2,1\n3,1\n4,-1\n5,1\n6,-1\n");
        try
        {
            DataSet data = DataSource.Open("csv:" + path, new DataOptions { Classes = 2, Validation = "0.34" }).Training;
            Assert.Equal((TargetKind.Label, 2), (data.Kind, data.Classes));
            Assert.Equal("-1 1", string.Join(" ", data.ClassNames));
            for (int i = 0; i < data.Count; i++)
            {
                Assert.Equal(data.Inputs[i] is 2 or 3 or 5 ? 1 : 0, data.Labels[i]);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }
}
