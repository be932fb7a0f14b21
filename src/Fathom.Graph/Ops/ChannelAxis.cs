namespace Fathom.Graphs.Ops;

/// <summary>Which axis holds the channels: axis 1, or the last.</summary>
internal static class ChannelAxis
{
    public static Index Of(bool channelsLast) => channelsLast ? ^1 : 1;

    /// <summary>Checks that input 0 has channels of a fixed size.</summary>
    public static void Require(ShapeScope scope, bool channelsLast)
    {
        scope.RequireRank(0, 2);
        if (scope.Shape(0)[Of(channelsLast)].PerSample)
        {
            throw scope.Error($"channels of a fixed size on {(channelsLast ? "the last axis (N, …, channels)" : "axis 1 (N, channels, …)")}", $"shape {scope.Shape(0)}");
        }
    }
}
