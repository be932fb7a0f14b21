namespace Fathom.Training.Data;

/// <summary>
/// The random numbers of data sets: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014). The same seed and stream give the same numbers on every machine. A mutable struct: pass
/// it by reference.
/// </summary>
internal struct DataRandom(ulong seed)
{
    private ulong state = seed;
    private double spare;
    private bool hasSpare;

    /// <summary>An independent sequence for each stream of one seed, such as each epoch of a run.</summary>
    public DataRandom(ulong seed, ulong stream) : this(Mix(Mix(seed) + stream))
    {
    }

    public ulong NextBits() => Mix(state += 0x9E3779B97F4A7C15);

    /// <summary>Uniform on [0, 1), in steps of 2^-53.</summary>
    public double Uniform() => (NextBits() >> 11) * (1.0 / (1L << 53));

    public double Uniform(double low, double high) => low + ((high - low) * Uniform());

    /// <summary>Standard normal, by Box and Muller (1958). The pair's second number is kept for the next call.</summary>
    public double Gaussian()
    {
        if (hasSpare)
        {
            hasSpare = false;
            return spare;
        }
        double radius = Math.Sqrt(-2 * Math.Log(1 - Uniform())); // 1 - u lies in (0, 1], so that the logarithm is finite
        (double sine, double cosine) = Math.SinCos(2 * Math.PI * Uniform());
        spare = radius * sine;
        hasSpare = true;
        return radius * cosine;
    }

    /// <summary>
    /// Uniform on 0 to <paramref name="bound"/> - 1 without bias (Lemire, "Fast random integer generation in an
    /// interval", 2019).
    /// </summary>
    public int Below(int bound)
    {
        ulong range = (ulong)bound;
        ulong high = Math.BigMul(NextBits(), range, out ulong low);
        if (low < range)
        {
            ulong threshold = (0 - range) % range;
            while (low < threshold)
            {
                high = Math.BigMul(NextBits(), range, out low);
            }
        }
        return (int)high;
    }

    /// <summary>Fisher and Yates: every order is equally likely.</summary>
    public void Shuffle(Span<int> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>Fills <paramref name="items"/> with 0 to length - 1 in random order.</summary>
    public void Permutation(Span<int> items)
    {
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = i;
        }
        Shuffle(items);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
