using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Execution;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Scaling;

/// <summary>
/// The maximal-update parametrization, relative to a narrower network (Yang et al. 2022, table 3). With r_in and r_out for
/// how much wider a parameter's input and output are: the read-out's weights start 1/√r_in smaller; the learning rate of a
/// weight is divided by r_in with Adam and its kin, and multiplied by r_out/r_in with SGD; that of a bias or gain is
/// multiplied by r_out with SGD.
/// </summary>
internal sealed class MaximalUpdate
{
    private readonly TrainingSession session;
    private readonly (ParameterSlice Slice, double Rate, double Start)[] rules;
    private readonly float[] values;

    public MaximalUpdate(TrainingSession session, Graph narrow)
    {
        this.session = session;
        bool follows = session.Model.Plan.Optimizer is Sgd or KerasSgd;
        values = new float[session.Parameters.Values.Length];
        HashSet<string> tables = [.. narrow.Nodes.Where(node => node.Op is Embedding or PositionalEmbedding).SelectMany(node => node.Parameters).Select(parameter => parameter.Name)];
        rules = [.. session.Parameters.Slices.Where(slice => slice.Trainable && narrow.Find(slice.Name) is not null).Select(slice => Rule(slice, ((Parameter)narrow[slice.Name].Op).Shape, follows, tables.Contains(slice.Name)))];
    }

    /// <summary>Makes the weights of the read-out, whose input is wider and whose output is not, smaller at the start.</summary>
    public void ScaleReadOut()
    {
        foreach ((ParameterSlice slice, _, double start) in rules.Where(rule => rule.Start != 1))
        {
            foreach (ref float value in session.Parameters.Value(slice).Span)
            {
                value *= (float)start;
            }
        }
    }

    /// <summary>Keeps the parameters before a step.</summary>
    public void Remember() => session.Parameters.Values.Span.CopyTo(values);

    /// <summary>Scales the step that each parameter has made: its step is proportional to its learning rate.</summary>
    public void Correct()
    {
        foreach ((ParameterSlice slice, double rate, _) in rules.Where(rule => rule.Rate != 1))
        {
            Span<float> now = session.Parameters.Value(slice).Span;
            for (int i = 0; i < now.Length; i++)
            {
                float before = values[slice.Offset + i];
                now[i] = before + (float)rate * (now[i] - before);
            }
        }
    }

    private static (ParameterSlice, double, double) Rule(ParameterSlice slice, Shape narrow, bool follows, bool isTable)
    {
        double wider = (double)slice.Shape[0].Size / narrow[0].Size;
        if (narrow.Rank == 1)
        {
            return (slice, follows ? wider : 1, 1);
        }
        // (out, in, kernel…); the rows of a table of embeddings are no outputs: only its width changes.
        double deeper = (double)slice.Shape[1].Size / narrow[1].Size;
        (double output, double input) = isTable ? (deeper, 1) : (wider, deeper);
        return (slice, follows ? output / input : 1 / input, output == 1 && input != 1 ? 1 / Math.Sqrt(input) : 1);
    }
}
