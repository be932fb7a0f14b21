using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>
/// Sequences of brackets as indices, of unequal length: class 1 if every bracket is closed by its own kind in the right
/// order (a Dyck word), class 0 if not. Index 0 pads at the end, 1 to kinds open, kinds + 1 to 2·kinds close. A wrong
/// sequence is a right one in which one bracket was replaced, or two were swapped, so that its counts are right and only
/// the order is wrong.
/// </summary>
internal sealed class Brackets : BuiltIn
{
    private const int MostSwaps = 20;

    public override string Name => "brackets";

    public override string Summary => "sequences of brackets as indices, 0 for padding; 2 classes: balanced or not";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Samples,
        new("length", 12, 2, 1000, "places of a row; a sequence has 2 to this many brackets", Whole: true),
        new("kinds", 2, 1, 100, "kinds of brackets; indices go from 0 to twice as many", Whole: true),
    ];

    internal override DataSet Create(BuiltInArguments arguments)
    {
        (int samples, int length, int kinds) = (arguments.Samples, arguments.Whole("length"), arguments.Whole("kinds"));
        DataRandom random = new(arguments.Seed);
        int[] order = new int[samples];
        random.Permutation(order);
        float[] inputs = new float[checked(samples * length)];
        int[] labels = new int[samples];
        int[] word = new int[length];
        for (int i = 0; i < samples; i++)
        {
            int row = order[i];
            labels[row] = i % 2;
            Span<int> brackets = word.AsSpan(0, 2 * (1 + random.Below(length / 2)));
            Balanced(ref random, kinds, brackets);
            if (labels[row] == 0)
            {
                Spoil(ref random, kinds, brackets, swap: random.Below(2) == 0);
            }
            for (int j = 0; j < brackets.Length; j++)
            {
                inputs[row * length + j] = brackets[j];
            }
        }
        return DataSet.OfLabels(Name, [length], inputs, labels, classes: 2);
    }

    /// <summary>Whether every bracket is closed by its own kind in the right order.</summary>
    internal static bool IsBalanced(ReadOnlySpan<int> brackets, int kinds)
    {
        Stack<int> open = new();
        foreach (int bracket in brackets)
        {
            if (bracket <= kinds)
            {
                open.Push(bracket);
            }
            else if (!open.TryPop(out int last) || last != bracket - kinds)
            {
                return false;
            }
        }
        return open.Count == 0;
    }

    /// <summary>Opens or closes with equal chances where both are possible.</summary>
    private static void Balanced(ref DataRandom random, int kinds, Span<int> brackets)
    {
        Stack<int> open = new();
        for (int i = 0; i < brackets.Length; i++)
        {
            int left = brackets.Length - i;
            if (open.Count == 0 || (open.Count < left && random.Below(2) == 0))
            {
                open.Push(brackets[i] = 1 + random.Below(kinds));
            }
            else
            {
                brackets[i] = kinds + open.Pop();
            }
        }
    }

    private static void Spoil(ref DataRandom random, int kinds, Span<int> brackets, bool swap)
    {
        if (!swap)
        {
            // One bracket of another kind or direction always upsets the counts.
            int at = random.Below(brackets.Length);
            brackets[at] = 1 + ((brackets[at] + random.Below((2 * kinds) - 1)) % (2 * kinds));
            return;
        }
        for (int i = 0; i < MostSwaps && IsBalanced(brackets, kinds); i++)
        {
            Swap(brackets, random.Below(brackets.Length), random.Below(brackets.Length));
        }
        if (IsBalanced(brackets, kinds))
        {
            Swap(brackets, 0, brackets.Length - 1); // what closes comes first
        }
    }

    private static void Swap(Span<int> brackets, int one, int other) => (brackets[one], brackets[other]) = (brackets[other], brackets[one]);
}
