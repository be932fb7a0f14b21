using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Maps;

/// <summary>What a map is drawn of: a way to make a network with its plan, and theory's word on it, for every point.</summary>
public abstract class MapSubject
{
    /// <summary>Name for titles.</summary>
    public abstract string Name { get; }

    /// <summary>What decides the results beside the settings, for telling whether a file of cells belongs to a map.</summary>
    public abstract IReadOnlyDictionary<string, string> Identity { get; }

    /// <summary>The settings' values unless they are given; one that is missing stays as it is in the model.</summary>
    public abstract MapPoint Defaults { get; }

    /// <summary>Rows to train on; null if the subject is only predicted.</summary>
    public abstract DataSplit? Data { get; }

    /// <summary>Refuses a setting that the subject does not have.</summary>
    /// <exception cref="TrainingException">It has none; one line.</exception>
    public abstract void RequireSetting(MapSetting setting);

    /// <summary>The network with its plan at a point.</summary>
    public abstract ModelDefinition Build(MapPoint point);

    /// <summary>Theory's word for all points that differ from one in depth only.</summary>
    /// <param name="point">Every setting but the depth.</param>
    /// <param name="depths">The depths; null where the map has no such axis.</param>
    public abstract IReadOnlyList<MapPrediction> Predict(MapPoint point, IReadOnlyList<double>? depths);

    /// <summary>ξc at a point; NaN if the network is no chain of equal layers.</summary>
    public abstract double CorrelationScale(MapPoint point);

    /// <summary>σw² on the edge of chaos at a point; null if there is none or none is known.</summary>
    public abstract double? CriticalWeightVariance(MapPoint point);
}
