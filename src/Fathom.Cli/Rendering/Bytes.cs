using System.Globalization;

namespace Fathom.Cli.Rendering;

/// <summary>Amounts of memory in words.</summary>
internal static class Bytes
{
    /// <summary>Such as <c>335 kB</c>, <c>2.1 MB</c>, <c>1.2 GB</c>; powers of ten.</summary>
    public static string Text(long bytes)
    {
        (double unit, string name) = bytes switch
        {
            >= 1_000_000_000 => (1e9, "GB"),
            >= 1_000_000 => (1e6, "MB"),
            _ => (1e3, "kB"),
        };
        double amount = bytes / unit;
        return amount.ToString(amount >= 100 ? "0" : "0.#", CultureInfo.InvariantCulture) + " " + name;
    }
}
