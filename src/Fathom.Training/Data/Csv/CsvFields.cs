using System.Globalization;
using System.Text;

namespace Fathom.Training.Data.Csv;

/// <summary>Walks over the fields of a record without copying them.</summary>
internal ref struct CsvFields(ReadOnlySpan<byte> record, byte delimiter)
{
    private readonly bool hasQuotes = record.Contains((byte)'"');
    private ReadOnlySpan<byte> rest = record;
    private bool done;

    /// <summary>The field without surrounding blanks and quotes; doubled quotes within it stay doubled.</summary>
    public ReadOnlySpan<byte> Current { get; private set; }

    public bool MoveNext()
    {
        if (done)
        {
            return false;
        }
        int length = hasQuotes ? QuotedLength() : rest.IndexOf(delimiter);
        done = length < 0;
        Current = Unquoted(done ? rest : rest[..length]);
        rest = done ? default : rest[(length + 1)..];
        return true;
    }

    /// <summary>How many fields there are in all.</summary>
    public readonly int Count()
    {
        CsvFields fields = this;
        int count = 0;
        while (fields.MoveNext())
        {
            count++;
        }
        return count;
    }

    public static string Text(ReadOnlySpan<byte> field) => Encoding.UTF8.GetString(field).Replace("\"\"", "\"");

    /// <summary>Reads a number in the invariant culture, and NaN and infinity in the spellings of C# and Python.</summary>
    public static bool TryNumber(ReadOnlySpan<byte> field, out double value)
    {
        if (field.Length is > 0 and < 10 && !field.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            int whole = 0;
            foreach (byte digit in field)
            {
                whole = (whole * 10) + (digit - '0');
            }
            value = whole;
            return true;
        }
        if (double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out value))
        {
            return true;
        }
        ReadOnlySpan<byte> magnitude = field.TrimStart("+-"u8);
        if (magnitude.Length == 3 && Ascii.EqualsIgnoreCase(magnitude, "inf"u8))
        {
            value = field[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }
        return false;
    }

    /// <summary>
    /// The delimiter of a record: a tab if it has one outside quotes, else a semicolon, else a comma. In this order a
    /// decimal comma is not taken for a delimiter, and is reported as such.
    /// </summary>
    public static byte Delimiter(ReadOnlySpan<byte> record)
    {
        byte delimiter = (byte)',';
        bool quoted = false;
        foreach (byte b in record)
        {
            quoted ^= b == '"';
            if (!quoted && b == '\t')
            {
                return b;
            }
            if (!quoted && b == ';')
            {
                delimiter = b;
            }
        }
        return delimiter;
    }

    private readonly int QuotedLength()
    {
        bool quoted = false;
        for (int i = 0; i < rest.Length; i++)
        {
            quoted ^= rest[i] == '"';
            if (!quoted && rest[i] == delimiter)
            {
                return i;
            }
        }
        return -1;
    }

    private static ReadOnlySpan<byte> Unquoted(ReadOnlySpan<byte> field)
    {
        field = field.Trim(" \t\r"u8);
        return field.Length >= 2 && field[0] == '"' && field[^1] == '"' ? field[1..^1] : field;
    }
}
