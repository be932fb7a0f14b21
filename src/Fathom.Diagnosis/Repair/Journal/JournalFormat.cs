using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fathom.Diagnosis.Monitoring;

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
        Converters = { new JsonStringEnumConverter(), new NormsConverter() },
    };

    /// <summary>A histogram as pairs of bin and count, of the bins that are not empty.</summary>
    private sealed class NormsConverter : JsonConverter<GradientNorms>
    {
        public override GradientNorms Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            GradientNorms.Restore(JsonSerializer.Deserialize<long[]>(ref reader, options)!) ?? throw new JsonException("no histogram of gradient norms");

        public override void Write(Utf8JsonWriter writer, GradientNorms value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value.Capture(), options);
    }
}
