using Fathom.Compute;

namespace Fathom.Corpus;

/// <summary>Random choices of one network of the corpus: the same seed and number give the same network on every machine.</summary>
internal sealed class Draw(ulong seed, int number)
{
    private RandomStream random = new(new RandomKey(seed, RandomKey.StreamOf("corpus"), (ulong)number));

    public double Uniform(double low, double high) => low + (high - low) * random.NextUniform();

    /// <summary>Uniform in the logarithm, rounded to two digits so that a recipe reads well.</summary>
    public double LogUniform(double low, double high)
    {
        double x = Math.Exp(Uniform(Math.Log(low), Math.Log(high)));
        double unit = Math.Pow(10, Math.Floor(Math.Log10(x)) - 1);
        return Math.Round(x / unit) * unit;
    }

    public int Whole(int low, int high) => low + random.NextInt32(high - low + 1);

    public bool Chance(double probability) => random.NextUniform() < probability;

    public T Of<T>(params ReadOnlySpan<T> choices) => choices[random.NextInt32(choices.Length)];

    public ulong Seed() => random.NextUInt64() % 1_000_000;
}
