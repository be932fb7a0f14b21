using System.Globalization;

namespace Fathom.Bench;

/// <summary>What the kernel says of this process's memory; nothing where there is no /proc.</summary>
internal static class ResidentSet
{
    private const string Status = "/proc/self/status";

    public static bool Known => File.Exists(Status);

    /// <summary>Begins a new peak, and gives the MB in memory now.</summary>
    public static double Reset()
    {
        if (!Known)
        {
            return double.NaN;
        }
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5");
        return Read("VmRSS:");
    }

    /// <summary>The most MB in memory since <see cref="Reset"/>.</summary>
    public static double Peak() => Known ? Read("VmHWM:") : double.NaN;

    /// <summary>Page faults of the process that needed no disk, as fresh memory does when it is touched first.</summary>
    public static long Faults()
    {
        // man 5 proc: field 10; the name in field 2 may contain blanks and ends with the last bracket.
        string text = Known ? File.ReadAllText("/proc/self/stat") : ") 0 0 0 0 0 0 0 0";
        return long.Parse(text[(text.LastIndexOf(')') + 2)..].Split(' ')[7], CultureInfo.InvariantCulture);
    }

    private static double Read(string key)
    {
        string line = File.ReadLines(Status).First(line => line.StartsWith(key, StringComparison.Ordinal));
        return double.Parse(line[key.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) * 1.024e-3;
    }
}
