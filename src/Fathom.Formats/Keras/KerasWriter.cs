using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Formats.Keras;

/// <summary>A Keras model as text.</summary>
/// <param name="Text">The JSON, indented.</param>
/// <param name="Before">The JSON that it was made from, indented alike, to compare with.</param>
/// <param name="Notes">What a Keras file cannot say and must be said when the model is trained; one line each.</param>
public sealed record KerasWriteResult(string Text, string Before, IReadOnlyList<string> Notes);

/// <summary>
/// Writes a model that was read from Keras' JSON, and changed since, as Keras' JSON again. What has not changed stays as the
/// file had it, settings that Fathom does not use included. The result is read again before it is given out: if that is not the
/// same network and plan, it is refused.
/// </summary>
public static class KerasWriter
{
    private static readonly JsonSerializerOptions Layout = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a changed model.</summary>
    /// <param name="file">Name of the file that the model came from, for messages.</param>
    /// <param name="original">Its JSON.</param>
    /// <param name="model">The model as it is now.</param>
    /// <exception cref="ModelFormatException">One line that says what Keras' format, or this writer, has no words for.</exception>
    public static KerasWriteResult Write(string file, string original, ModelDefinition model)
    {
        ModelDefinition before = KerasReader.Read(file, original).Model;
        JsonObject root = JsonNode.Parse(original)!.AsObject();
        using JsonDocument document = JsonDocument.Parse(original);
        string old = root.ToJsonString(Layout) + "\n";
        KerasArchitecture.Rewrite(root, new KerasJson(file, null, document.RootElement), before.Graph, model.Graph);
        List<string> notes = [];
        KerasCompilation.Rewrite(root, before.Plan, model.Plan, notes);
        string text = root.ToJsonString(Layout) + "\n";
        Verify(file, text, model, KerasCompilation.Sayable(before.Plan, model.Plan));
        return new KerasWriteResult(text, old, notes);
    }

    /// <summary>The JSON of a model file, be it an archive or plain; null if it is no Keras model.</summary>
    public static string? SourceOf(string path)
    {
        byte[] content = File.ReadAllBytes(path);
        if (content.AsSpan().StartsWith("PK"u8))
        {
            return KerasArchive.ReadConfig(path, content);
        }
        string text = System.Text.Encoding.UTF8.GetString(content).TrimStart('\uFEFF');
        string start = text.TrimStart();
        return start.StartsWith('{') && !start.StartsWith("{fathom", StringComparison.Ordinal) ? text : null;
    }

    private static void Verify(string file, string text, ModelDefinition model, TrainingPlan plan)
    {
        ModelDefinition again;
        try
        {
            again = KerasReader.Read(file, text).Model;
        }
        catch (ModelFormatException error)
        {
            throw new ModelFormatException($"{file}: the changed model cannot be said in Keras' format: {error.Message}", error);
        }
        string? difference = Difference(model.Graph, again.Graph) ?? (again.Plan.Loss.Equals(plan.Loss) ? null : "the loss")
            ?? (again.Plan.Optimizer.Equals(plan.Optimizer) ? null : $"the optimizer {plan.Optimizer.Kind}")
            ?? (Equals(again.Plan.Clipping, plan.Clipping) ? null : "the clipping")
            ?? (KerasSchedules.Same(again.Plan.Schedule, plan.Schedule) ? null : "the schedule")
            ?? (again.Plan.Regularization.SequenceEqual(plan.Regularization) ? null : "the penalties");
        if (difference is not null)
        {
            throw new ModelFormatException($"{file}: the changed model cannot be said in Keras' format: {difference} would not come out the same");
        }
    }

    /// <summary>The first thing that two graphs have not in common; null if they are the same network.</summary>
    private static string? Difference(Graph wanted, Graph found)
    {
        foreach (Node node in wanted.Nodes)
        {
            if (found.Find(node.Name) is not { } other || !SameOp(node.Op, other.Op) || !node.Inputs.Select(input => (input.Node.Name, input.Index)).SequenceEqual(other.Inputs.Select(input => (input.Node.Name, input.Index))))
            {
                return $"'{node.Name}' ({node.Op.Kind})";
            }
        }
        return wanted.Output.Name != found.Output.Name ? "the output" : found.Nodes.Length > wanted.Nodes.Length ? "a layer too many" : null;
    }

    internal static bool SameOp(Op a, Op b) => (a, b) switch
    {
        (Parameter x, Parameter y) => x.Trainable == y.Trainable && KerasInitializerText.Same(x.Initializer, y.Initializer),
        (Reshape x, Reshape y) => x.Target.SequenceEqual(y.Target),
        (LayerNorm x, LayerNorm y) => Extents(x).SequenceEqual(Extents(y)) && x.Eps == y.Eps && x.Affine == y.Affine,
        _ => a.Equals(b),
    };

    private static IEnumerable<int> Extents(LayerNorm norm) => norm.NormalizedShape.IsDefault ? [] : norm.NormalizedShape;
}
