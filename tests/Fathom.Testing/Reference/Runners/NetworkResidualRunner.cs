using System.Globalization;
using System.Text;
using Fathom.Formats.ModelFile;
using Fathom.Training;

namespace Fathom.Testing.Reference.Runners;

/// <summary>residual_block: conv-BN-ReLU-conv-BN plus shortcut, ReLU, mean, dense layer; from a model file, with the new running statistics.</summary>
public sealed class NetworkResidualRunner : NetworkRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["residual_block"];

    /// <summary>The model file that expresses a case.</summary>
    public static string ModelFile(ReferenceCase reference)
    {
        int[] size = Window.Numbers(reference, "size");
        int filters = (int)reference.Number("out_channels");
        int stride = (int)reference.Number("stride");
        string norm = string.Create(CultureInfo.InvariantCulture, $"batch_norm: {{momentum: {reference.Number("momentum")}, eps: {reference.Number("eps")}}}");
        bool projects = reference.Inputs.Contains("shortcut.0.weight");
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"fathom: 1\ninput: [{reference.Number("in_channels")}, {size[0]}, {size[^1]}]\nloss: cross_entropy\noptimizer: sgd\nlayers:\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{conv2d: {{filters: {filters}, kernel: 3, stride: {stride}, padding: 1, bias: false}}, name: conv1}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{{norm}, name: bn1}}\n  - {{relu: {{}}, name: relu1}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{conv2d: {{filters: {filters}, kernel: [3, 3], padding: [1, 1], bias: false}}, name: conv2}}\n  - {{{norm}, name: bn2}}\n");
        if (projects)
        {
            text.Append(CultureInfo.InvariantCulture, $"  - {{conv2d: {{filters: {filters}, kernel: 1, stride: {stride}, bias: false}}, name: shortcut.0, from: input}}\n  - {{{norm}, name: shortcut.1}}\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"  - {{add: {{}}, name: add, from: [bn2, {(projects ? "shortcut.1" : "input")}]}}\n  - {{relu: {{}}, name: relu2}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{global_avg_pool: {{}}, name: pool}}\n  - {{dense: {reference.Tensor("fc.weight").Shape[0]}, name: fc}}\n");
        return text.ToString();
    }

    protected override ModelDefinition Model(ReferenceCase reference) => ModelFileReader.Read($"{reference.Id}.yaml", ModelFile(reference));
}
