namespace Fathom.Diagnosis.Maps;

/// <summary>How many ξc of layers were trained: the multiplier that tells trained cells from untrained ones best.</summary>
/// <param name="Multiplier">Layers in units of ξc, the middle of the best multipliers.</param>
/// <param name="Low">Least multiplier in nine tenths of the draws of rows with replacement (Efron 1979).</param>
/// <param name="High">Greatest of them.</param>
/// <param name="Agreement">Share of the cells on their right side of the boundary.</param>
/// <param name="Cells">Cells with an outcome and a ξc.</param>
/// <param name="Threshold">Score from which on a cell counts as trained: half-way between guessing and the best cell.</param>
public sealed record BoundaryFit(double Multiplier, double Low, double High, double Agreement, int Cells, double Threshold)
{
    private const int Draws = 200;

    /// <summary>Fits the multiplier m of the boundary depth = m·ξc.</summary>
    /// <param name="map">A map with depth on one axis.</param>
    /// <param name="cells">Its cells.</param>
    /// <param name="chance">The score of guessing.</param>
    /// <returns>Null if all cells are trained or none is, or if there is no depth axis or no ξc.</returns>
    public static BoundaryFit? Of(TrainabilityMap map, IReadOnlyList<MapCell> cells, double chance)
    {
        MapCell[] known = [.. cells.Where(cell => cell.Outcome is not null && cell.Prediction.CorrelationScale > 0)];
        if (known.Length == 0 || (map.X.Setting != MapSetting.Depth && map.Y.Setting != MapSetting.Depth))
        {
            return null;
        }
        double threshold = (chance + known.Max(cell => cell.Outcome!.Value.Score)) / 2;
        // A cell is right if its depth in units of ξc is below m and it is trained, or above and it is not. Its row shares ξc.
        var sides = known.Select(cell => (
            Ratio: Depth(cell) / cell.Prediction.CorrelationScale,
            Trained: cell.Outcome!.Value.Score >= threshold,
            Row: map.X.Setting == MapSetting.Depth ? cell.Y : cell.X)).ToArray();
        if (sides.All(side => side.Trained) || !sides.Any(side => side.Trained))
        {
            return null;
        }
        (double best, int right) = Best(sides.Select(side => (side.Ratio, side.Trained)));
        (double, bool)[][] rows = [.. sides.GroupBy(side => side.Row).Select(row => row.Select(side => (side.Ratio, side.Trained)).ToArray())];
        Random random = new(1);
        double[] draws = [.. Enumerable.Range(0, Draws).Select(_ => Best(Enumerable.Range(0, rows.Length).SelectMany(_ => rows[random.Next(rows.Length)])).Multiplier).Order()];
        return new BoundaryFit(best, draws[Draws / 20], draws[^(Draws / 20)], (double)right / sides.Length, sides.Length, threshold);

        double Depth(MapCell cell) => map.X.Setting == MapSetting.Depth ? cell.X : cell.Y;
    }

    /// <summary>The multiplier with most cells on their right side; the geometric middle of the widest such stretch.</summary>
    private static (double Multiplier, int Right) Best(IEnumerable<(double Ratio, bool Trained)> cells)
    {
        (double Ratio, bool Trained)[] sorted = [.. cells.OrderBy(cell => cell.Ratio)];
        int right = sorted.Count(cell => !cell.Trained), most = -1;
        (double low, double high) = (0, 0);
        for (int i = 0; i <= sorted.Length; i++)
        {
            (double from, double to) = (i == 0 ? 0 : sorted[i - 1].Ratio, i == sorted.Length ? double.PositiveInfinity : sorted[i].Ratio);
            if (to > from && (right > most || (right == most && to / from > high / low)))
            {
                (most, low, high) = (right, from, to);
            }
            right += i == sorted.Length ? 0 : sorted[i].Trained ? 1 : -1;
        }
        return (low == 0 ? high : double.IsInfinity(high) ? low : Math.Sqrt(low * high), most);
    }
}
