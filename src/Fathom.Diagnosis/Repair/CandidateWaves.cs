namespace Fathom.Diagnosis.Repair;

/// <summary>In which order, and how many at a time, candidates get their first steps.</summary>
internal sealed class CandidateWaves(Candidates candidates, DoctorOptions options, TrialRace race)
{
    /// <summary>
    /// Remedies for faults in themselves, then the likeliest others alone, then what they make together (a network may have
    /// several faults), then what helps most networks whatever their fault, then the rest. Lazily, so that what is not needed is not even predicted.
    /// </summary>
    public IEnumerable<List<Trial>> All()
    {
        List<Trial> singles = candidates.Singles();
        // What is a fault in itself is undone before anything else is thought of.
        List<Trial> plain = [.. singles.Where(TrialRace.IsPlain).Take(TrialRace.Wave)];
        if (plain.Count > 0)
        {
            yield return plain;
            singles.RemoveAll(plain.Contains);
        }
        yield return [.. singles.Take(TrialRace.Wave)];
        singles.InsertRange(0, plain);
        List<Trial> bold = options.Combinations > 0 ? candidates.Pairs(singles, 2) : [];
        bold.AddRange(candidates.Triples(bold.Take(1), Math.Min(1, options.Combinations)));
        yield return bold;
        if (candidates.General().Where(Untried).ToList() is { Count: > 0 } general)
        {
            yield return general;
        }
        foreach (Trial[] wave in singles.Skip(plain.Count + TrialRace.Wave).Where(Untried).Chunk(TrialRace.Wave))
        {
            yield return [.. wave];
        }
        List<Trial> pairs = [.. candidates.Pairs(singles, options.Combinations).Where(Untried)];
        foreach (Trial[] wave in pairs.Chunk(TrialRace.Wave))
        {
            yield return [.. wave];
        }
        if (race.Ranked(race.Trials.Where(trial => trial.Remedies.Length == 2), 0).Take(2).ToArray() is { Length: > 0 } best)
        {
            yield return [.. candidates.Triples(best, options.Combinations / 2).Where(Untried)];
        }
    }

    /// <summary>What is left to try when nothing else has done better than the network as it is.</summary>
    public List<Trial> Last() => [.. candidates.Rates().Where(Untried)];

    private bool Untried(Trial trial) => race.Trials.All(known => known.Name != trial.Name);
}
