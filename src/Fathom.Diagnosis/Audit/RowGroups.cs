using System.Runtime.InteropServices;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Audit;

/// <summary>
/// Which rows of a data set have the same inputs, bit for bit. A hash of two short stretches of each row tells most rows
/// apart without reading them whole; rows that agree in it are hashed whole and then compared.
/// </summary>
public sealed class RowGroups
{
    private const int Stretch = 16;

    private readonly DataSet data;
    private readonly Dictionary<ulong, int> firstBySketch;
    private readonly Dictionary<ulong, List<int>> crowded = [];

    private RowGroups(DataSet data)
    {
        this.data = data;
        firstBySketch = new Dictionary<ulong, int>(data.Count);
    }

    /// <summary>Rows of equal inputs, two or more in each group, in order of their first.</summary>
    public IReadOnlyList<int[]> Repeated { get; private set; } = [];

    /// <summary>Rows that repeat an earlier one.</summary>
    public int Repeats => Repeated.Sum(group => group.Length - 1);

    internal static RowGroups Of(DataSet data)
    {
        RowGroups groups = new(data);
        Dictionary<ulong, List<int>> shared = [];
        for (int row = 0; row < data.Count; row++)
        {
            ulong sketch = Sketch(data, row);
            if (groups.firstBySketch.TryAdd(sketch, row))
            {
                continue;
            }
            if (!shared.TryGetValue(sketch, out List<int>? rows))
            {
                shared[sketch] = rows = [groups.firstBySketch[sketch]];
            }
            rows.Add(row);
        }
        List<int[]> repeated = [];
        foreach (List<int> rows in shared.Values)
        {
            repeated.AddRange(groups.Equal(rows));
        }
        groups.Repeated = [.. repeated.OrderBy(group => group[0])];
        return groups;
    }

    /// <summary>The first row here with the inputs of a row of other data; −1 if there is none.</summary>
    internal int Find(DataSet other, int row)
    {
        if (!firstBySketch.TryGetValue(Sketch(other, row), out int first))
        {
            return -1;
        }
        if (Same(data, first, other, row))
        {
            return first;
        }
        return crowded.TryGetValue(Hash(Bits(other, row)), out List<int>? candidates) ? First(candidates, candidate => Same(data, candidate, other, row)) : -1;
    }

    /// <summary>Groups of equal rows among those that share a sketch.</summary>
    private IEnumerable<int[]> Equal(List<int> rows)
    {
        Dictionary<ulong, List<int>> byHash = [];
        foreach (int row in rows)
        {
            ulong hash = Hash(Bits(data, row));
            if (!byHash.TryGetValue(hash, out List<int>? list))
            {
                byHash[hash] = list = [];
            }
            list.Add(row);
        }
        foreach ((ulong hash, List<int> same) in byHash)
        {
            crowded.TryAdd(hash, []);
            crowded[hash].AddRange(same);
            // Rows of one hash are taken as equal only if they are equal to its first.
            int[] group = [.. same.Where(row => Same(data, same[0], data, row))];
            if (group.Length > 1)
            {
                yield return group;
            }
        }
    }

    private static int First(List<int> rows, Predicate<int> match) => rows.FindIndex(match) is >= 0 and int index ? rows[index] : -1;

    private static bool Same(DataSet a, int first, DataSet b, int second) => Bits(a, first).SequenceEqual(Bits(b, second));

    private static ReadOnlySpan<uint> Bits(DataSet data, int row) => MemoryMarshal.Cast<float, uint>(data.Inputs.Slice(row * data.Features, data.Features));

    private static ulong Sketch(DataSet data, int row)
    {
        ReadOnlySpan<uint> bits = Bits(data, row);
        return bits.Length <= 2 * Stretch ? Hash(bits)
            : Hash(bits.Slice(bits.Length / 3 - Stretch / 2, Stretch)) * 31 + Hash(bits.Slice(2 * bits.Length / 3 - Stretch / 2, Stretch));
    }

    /// <summary>Multiply and rotate, four lanes; any hash would do, since rows of one hash are compared.</summary>
    private static ulong Hash(ReadOnlySpan<uint> bits)
    {
        const ulong prime = 0x9E3779B97F4A7C15;
        ulong a = 1, b = 2, c = 3, d = 4;
        int i = 0;
        for (; i + 4 <= bits.Length; i += 4)
        {
            a = ulong.RotateLeft((a ^ bits[i]) * prime, 29);
            b = ulong.RotateLeft((b ^ bits[i + 1]) * prime, 31);
            c = ulong.RotateLeft((c ^ bits[i + 2]) * prime, 33);
            d = ulong.RotateLeft((d ^ bits[i + 3]) * prime, 35);
        }
        for (; i < bits.Length; i++)
        {
            a = ulong.RotateLeft((a ^ bits[i]) * prime, 29);
        }
        return (((a * prime ^ b) * prime ^ c) * prime ^ d) * prime;
    }
}
