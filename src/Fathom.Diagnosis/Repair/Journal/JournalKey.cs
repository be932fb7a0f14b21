using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>
/// What an examination's results depend on, each as a fingerprint, so that a mismatch can be named. The number of threads is
/// not among it: it changes no result.
/// </summary>
/// <param name="Model">The network, and the file that it came from.</param>
/// <param name="Plan">How it is trained, seed included.</param>
/// <param name="Data">All training and validation rows.</param>
/// <param name="Options">How thorough the doctor is.</param>
/// <param name="Version">The program, with the build of each part that computes.</param>
public sealed record JournalKey(string Model, string Plan, string Data, string Options, string Version)
{
    /// <summary>Hexadecimal digits of a fingerprint: 64 bits are enough to tell a user's models apart.</summary>
    private const int Digits = 16;

    private static readonly Assembly[] Parts = [typeof(Doctor).Assembly, typeof(TrainingPlan).Assembly, typeof(Graph).Assembly, typeof(WorkerPool).Assembly];

    /// <param name="model">Network and plan.</param>
    /// <param name="source">The model file's text; an empty string if there is none.</param>
    /// <param name="data">Training and validation rows.</param>
    /// <param name="options">How thorough the doctor is.</param>
    /// <param name="version">Version of the program.</param>
    public static JournalKey Of(ModelDefinition model, string source, DataSplit data, DoctorOptions options, string version) => new(
        Hash(Text(model.Graph) + source), Hash(model.Plan.ToString()), OfData(data), Hash(options.ToString()),
        $"{version} {Hash(string.Join(' ', Parts.Select(part => part.ManifestModule.ModuleVersionId)))}");

    /// <summary>What differs from another key, in words; empty if nothing does.</summary>
    public string DifferenceFrom(JournalKey other) => string.Join(", ", new[]
    {
        Model != other.Model ? "another model" : "",
        Plan != other.Plan ? "another training plan" : "",
        Data != other.Data ? "other data" : "",
        Options != other.Options ? "other options" : "",
        Version != other.Version ? "another version of Fathom" : "",
    }.Where(part => part.Length > 0));

    /// <summary>Fingerprint of one rewritten network with its plan.</summary>
    internal static string OfModel(ModelDefinition model) => Hash(Text(model.Graph) + model.Plan);

    /// <summary>Nodes with the settings of their ops, initializers included, which a graph's own text leaves out.</summary>
    private static string Text(Graph graph) => string.Concat(graph.Nodes.Select(node => $"{node} {node.Op}\n"));

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..Digits];

    private static string OfData(DataSplit data)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (DataSet set in (DataSet[])[data.Training, data.Validation])
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{string.Join(',', set.RowShape)} {set.Kind} {set.Classes} {set.TargetWidth} {set.Count} "));
            hash.AppendData(MemoryMarshal.AsBytes(set.Inputs));
            hash.AppendData(set.Kind == TargetKind.Label ? MemoryMarshal.AsBytes(set.Labels) : MemoryMarshal.AsBytes(set.Targets));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..Digits];
    }
}
