using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Fathom.Diagnosis.Monitoring;
using Fathom.Training;
using Fathom.Training.Metrics;

namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>How results stand in a journal: JSON on one line, numbers such that they are read back bit for bit.</summary>
internal static class JournalFormat
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        IgnoreReadOnlyProperties = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(), new NormsConverter(), new MetricsConverter(), new MetricConverter() },
    };

    private sealed class MetricsConverter : JsonConverter<ValueList<MetricValue>>
    {
        public override ValueList<MetricValue> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            [.. JsonSerializer.Deserialize<MetricValue[]>(ref reader, options)!];

        public override void Write(Utf8JsonWriter writer, ValueList<MetricValue> value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value.Items, options);
    }

    /// <summary>A metric as its kind and its settings.</summary>
    private sealed class MetricConverter : JsonConverter<Metric>
    {
        private static readonly Type[] Kinds = [.. typeof(Metric).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Metric)) && !type.IsAbstract)];

        public override Metric Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            JsonObject metric = JsonSerializer.Deserialize<JsonObject>(ref reader, options)!;
            Type kind = Kinds.FirstOrDefault(type => type.Name == metric["kind"]?.ToString()) ?? throw new JsonException($"no metric {metric["kind"]}");
            return (Metric)(metric["settings"].Deserialize(kind, options) ?? throw new JsonException($"no settings of {kind.Name}"));
        }

        public override void Write(Utf8JsonWriter writer, Metric value, JsonSerializerOptions options) =>
            new JsonObject { ["kind"] = value.GetType().Name, ["settings"] = JsonSerializer.SerializeToNode(value, value.GetType(), options) }.WriteTo(writer, options);
    }

    /// <summary>A histogram as pairs of bin and count, of the bins that are not empty.</summary>
    private sealed class NormsConverter : JsonConverter<GradientNorms>
    {
        public override GradientNorms Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            GradientNorms.Restore(JsonSerializer.Deserialize<long[]>(ref reader, options)!) ?? throw new JsonException("no histogram of gradient norms");

        public override void Write(Utf8JsonWriter writer, GradientNorms value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value.Capture(), options);
    }
}
