using Fathom.Formats;
using Fathom.Formats.SafeTensors;
using Fathom.Training;

namespace Fathom.Cli.Verbs;

/// <summary>Weights that the user gives as safetensors: a <c>state_dict</c>, what <c>--out</c> wrote, or a checkpoint.</summary>
internal static class WeightsFile
{
    /// <summary>Every tensor that can be a parameter, by name.</summary>
    /// <exception cref="SafeTensorsException">The file is damaged.</exception>
    public static IReadOnlyDictionary<string, TracedTensor> Read(string path)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        bool checkpoint = CheckpointFile.IsCheckpoint(file);
        // PyTorch counts batches in a tensor that no computation reads; an optimizer's state is no weight.
        IEnumerable<string> names = file.Names.Where(name => !name.EndsWith(".num_batches_tracked", StringComparison.Ordinal)
            && !(checkpoint && name.StartsWith(CheckpointFile.OptimizerPrefix, StringComparison.Ordinal)));
        return names.ToDictionary(name => name, name => new TracedTensor([.. file.Tensor(name).Shape], file.Tensor(name).ToSingles()));
    }
}
