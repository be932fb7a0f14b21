using System.Text;
using Fathom.Formats.ModelFile;
using Fathom.Training;

namespace Fathom.Formats;

/// <summary>Writes models as Fathom's YAML.</summary>
public static class ModelWriter
{
    /// <summary>Writes a model file. A file of this name is replaced at once, or, if anything fails, not at all.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The file.</param>
    /// <param name="header">Comment lines at the top, without «#».</param>
    /// <exception cref="ModelFormatException">The model has something that a model file cannot say, or the file cannot be written.</exception>
    public static void Write(ModelDefinition model, string path, IReadOnlyList<string>? header = null)
    {
        string text;
        try
        {
            text = ModelFileWriter.Write(model, header);
        }
        catch (ModelFormatException error)
        {
            throw new ModelFormatException($"{path}: {error.Message}", error);
        }
        WriteText(path, text);
    }

    /// <summary>Writes a text, whole or not at all.</summary>
    /// <exception cref="ModelFormatException">The file cannot be written.</exception>
    public static void WriteText(string path, string text)
    {
        // Beside its place, so that the rename stays within one file system.
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            File.WriteAllText(temporary, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(temporary))
            {
                File.Delete(temporary);
            }
            throw new ModelFormatException($"{path}: cannot be written: {error.Message}", error);
        }
    }
}
