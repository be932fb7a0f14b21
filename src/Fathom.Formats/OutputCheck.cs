using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Formats;

/// <summary>Finds outputs that a loss takes for something else: a frequent slip that trains, but badly.</summary>
internal static class OutputCheck
{
    /// <summary>One line for each mismatch of output and loss that makes training fail, whatever the data.</summary>
    public static IEnumerable<string> Warnings(ModelDefinition model) =>
        OutputMatch.Of(model.Graph, model.Plan.Loss).Where(mismatch => mismatch.Fails).Select(mismatch => mismatch.Text);
}
