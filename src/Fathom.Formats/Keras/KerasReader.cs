using System.Text.Json;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Regularization;

namespace Fathom.Formats.Keras;

/// <summary>
/// Reads Keras models, as versions 2 and 3 write them: <c>model.to_json()</c>, <c>config.json</c>, and the
/// <c>.keras</c> archive around it. Weights are not read. docs/keras.md lists what is supported.
/// </summary>
public static class KerasReader
{
    private const int DeepestNesting = 256;

    /// <summary>Reads a <c>.keras</c> archive.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="content">Its bytes.</param>
    /// <exception cref="ModelFormatException">One line that says what is wrong.</exception>
    public static ModelReadResult ReadArchive(string file, byte[] content) => Read(file, KerasArchive.ReadConfig(file, content));

    /// <summary>Reads the JSON of a model.</summary>
    /// <param name="file">Name of the file, for messages and as the name of a model without one.</param>
    /// <param name="text">Its content.</param>
    /// <exception cref="ModelFormatException">One line that says what is wrong.</exception>
    public static ModelReadResult Read(string file, string text)
    {
        using JsonDocument document = Parse(file, text);
        try
        {
            return Read(file, document);
        }
        catch (InvalidOperationException error)
        {
            // JSON's parser finds a text with half a surrogate pair only when the text is asked for.
            throw new ModelFormatException($"{file}: a text in it is no valid Unicode: {error.Message}", error);
        }
    }

    private static ModelReadResult Read(string file, JsonDocument document)
    {
        List<string> warnings = [];
        KerasJson root = new(file, null, document.RootElement);
        if (!root.Has("class_name"))
        {
            throw root.Error("this is JSON, but no Keras model: it has no 'class_name'; write it with model.to_json()");
        }
        (string name, Graph graph, ValueList<Regularizer> regularization) = KerasNetwork.Read(root, warnings);
        TrainingPlan plan = KerasTraining.Read(root, graph, warnings);
        return new ModelReadResult(new ModelDefinition(name, graph, plan with { Regularization = regularization }), warnings);
    }

    private static JsonDocument Parse(string file, string text)
    {
        try
        {
            return JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = DeepestNesting });
        }
        catch (JsonException error)
        {
            // The parser appends the place in its own words; ours is the same as for YAML.
            string reason = error.Message.Split(" LineNumber:")[0].TrimEnd();
            throw new ModelFormatException(FormattableString.Invariant($"{file}:{error.LineNumber + 1}:{error.BytePositionInLine + 1}: no valid JSON: {reason}"), error);
        }
        catch (ArgumentException error)
        {
            throw new ModelFormatException($"{file}: no valid JSON: {error.Message}", error);
        }
    }
}
