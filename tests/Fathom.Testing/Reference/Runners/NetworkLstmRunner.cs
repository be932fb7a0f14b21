using System.Text;
using Fathom.Formats.ModelFile;
using Fathom.Training;

namespace Fathom.Testing.Reference.Runners;

/// <summary>
/// lstm_classifier, on numbers or on tokens, written as a model file and traced: loss, every activation, every gradient.
/// </summary>
public sealed class NetworkLstmRunner : NetworkRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["lstm_classifier"];

    /// <summary>The model file of a case.</summary>
    public static string ModelFile(ReferenceCase reference)
    {
        int length = (int)reference.Number("length");
        int features = (int)reference.Number("input_size");
        bool tokens = reference.Has("vocabulary");
        StringBuilder text = new("fathom: 1\n");
        text.Append(tokens ? $"input: {{shape: {length}, kind: index}}\n" : $"input: [{length}, {features}]\n").Append("layers:\n");
        if (tokens)
        {
            text.Append($"  - {{embedding: {{vocabulary: {reference.Number("vocabulary")}, units: {features}}}, name: embedding}}\n");
        }
        text.Append($"  - {{recurrent: {{cell: lstm, units: {reference.Number("hidden_size")}, layers: {reference.Number("num_layers")}}}, name: lstm}}\n");
        text.Append("  - {select: -1, name: last}\n");
        text.Append($"  - {{dense: {reference.Number("classes")}, name: fc}}\n");
        return text.Append("loss: cross_entropy\noptimizer: sgd\n").ToString();
    }

    protected override ModelDefinition Model(ReferenceCase reference) => ModelFileReader.Read($"{reference.Id}.yaml", ModelFile(reference));
}
