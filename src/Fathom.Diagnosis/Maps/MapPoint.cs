using System.Collections.Immutable;

namespace Fathom.Diagnosis.Maps;

/// <summary>The value of every setting in one cell of a map.</summary>
public sealed class MapPoint(ImmutableSortedDictionary<string, double> values)
{
    /// <summary>Values by the settings' names; a setting that the subject leaves as it is has none.</summary>
    public ImmutableSortedDictionary<string, double> Values { get; } = values;

    public double this[MapSetting setting] => Values[setting.Name];

    public int Whole(MapSetting setting) => (int)Values[setting.Name];

    /// <summary>The value, or null where the subject keeps its own.</summary>
    public double? Find(MapSetting setting) => Values.TryGetValue(setting.Name, out double value) ? value : null;

    public MapPoint With(MapSetting setting, double value) => new(Values.SetItem(setting.Name, value));
}

/// <summary>What theory says of one cell.</summary>
/// <param name="Decades">log10 of the first layer's gradient norm over the last one's.</param>
/// <param name="CorrelationScale">ξc, layers over which two inputs can be told apart; infinite on the edge of chaos, NaN if the network is no chain.</param>
public readonly record struct MapPrediction(double Decades, double CorrelationScale);

/// <summary>What short training gave in one cell.</summary>
/// <param name="Score">Accuracy or R² on the training rows.</param>
/// <param name="Validation">The same on the validation rows.</param>
/// <param name="Loss">Loss on the training rows.</param>
/// <param name="Diverged">Whether the loss stopped being a number on the way.</param>
/// <param name="Seconds">Time it took.</param>
public readonly record struct MapOutcome(double Score, double Validation, double Loss, bool Diverged, double Seconds);

/// <summary>A cell of a map.</summary>
/// <param name="X">Value on the axis to the right.</param>
/// <param name="Y">Value on the axis upwards.</param>
/// <param name="Prediction">What theory says.</param>
/// <param name="Outcome">What training gave; null if the cell was not trained.</param>
public sealed record MapCell(double X, double Y, MapPrediction Prediction, MapOutcome? Outcome);
