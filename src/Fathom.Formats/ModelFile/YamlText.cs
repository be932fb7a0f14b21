using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>A YAML document whose nodes know their place, and the errors that name it.</summary>
internal sealed class YamlText
{
    /// <summary>Deeper nesting is no model file, and would overflow the stack of a recursive reader.</summary>
    private const int DeepestNesting = 64;

    private readonly string file;

    private YamlText(string file, YamlNode root) => (this.file, Root) = (file, root);

    public YamlNode Root { get; }

    /// <exception cref="ModelFormatException">No YAML, with the place at which it stops being YAML.</exception>
    public static YamlText Parse(string file, string text)
    {
        try
        {
            CheckNesting(file, text);
            YamlStream stream = [];
            stream.Load(new StringReader(text));
            return stream.Documents.Count switch
            {
                0 => throw new ModelFormatException($"{file}: the file is empty; a model file starts with 'fathom: 1'"),
                1 => new YamlText(file, stream.Documents[0].RootNode),
                _ => throw ErrorAt(file, stream.Documents[1].RootNode.Start, "a second document starts here; a model file is one document"),
            };
        }
        catch (YamlException error)
        {
            string reason = error.InnerException?.Message ?? error.Message;
            throw new ModelFormatException(At(file, error.Start) + $"no valid YAML: {reason}", error);
        }
        catch (Exception error) when (error is not ModelFormatException)
        {
            // The YAML parser lets exceptions of several kinds out for broken text.
            throw new ModelFormatException($"{file}: no valid YAML: {error.Message}", error);
        }
    }

    /// <summary>Something is wrong at a node.</summary>
    public ModelFormatException Error(YamlNode at, string problem) => ErrorAt(file, at.Start, problem);

    /// <summary>Something is wrong with a key or its value.</summary>
    public ModelFormatException KeyError(YamlNode at, string key, string problem, string? allowed = null) =>
        Error(at, $"key {ModelFormatException.Quote(key)}: {problem}{(allowed is null ? "" : $"; allowed: {allowed}")}");

    private static ModelFormatException ErrorAt(string file, Mark at, string problem) => new(At(file, at) + problem);

    private static string At(string file, Mark mark) =>
        string.Create(CultureInfo.InvariantCulture, $"{file}:{Math.Max(1, mark.Line)}:{Math.Max(1, mark.Column)}: ");

    private static void CheckNesting(string file, string text)
    {
        Parser parser = new(new StringReader(text));
        int depth = 0;
        while (parser.MoveNext())
        {
            depth += parser.Current?.NestingIncrease ?? 0;
            if (depth > DeepestNesting && parser.Current is MappingStart or SequenceStart)
            {
                throw ErrorAt(file, parser.Current!.Start, $"nested more than {DeepestNesting} levels deep");
            }
        }
    }
}
