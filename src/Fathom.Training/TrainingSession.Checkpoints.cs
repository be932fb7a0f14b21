using Fathom.Compute;
using Fathom.Training.Execution;
using Fathom.Training.Schedules;

namespace Fathom.Training;

/// <summary>What a session writes down to be gone on with, and how it takes it up again.</summary>
public sealed partial class TrainingSession
{
    /// <summary>Everything needed to go on from here: parameters, optimizer state, step.</summary>
    public Checkpoint Capture()
    {
        SessionSnapshot now = CreateSnapshot();
        Keep(now);
        return Capture(now);
    }

    /// <summary>The same of a state kept earlier.</summary>
    /// <param name="snapshot">One of this session that holds a state.</param>
    public Checkpoint Capture(SessionSnapshot snapshot)
    {
        Dictionary<string, (int[] Shape, float[] Elements)> tensors = [];
        foreach (ParameterSlice slice in Parameters.Slices)
        {
            tensors[slice.Name] = (slice.Shape.Bind(1), Part(snapshot.Values, slice));
        }
        foreach (ParameterSlice slice in Optimizer.Slices)
        {
            foreach ((string name, float[] state) in Optimizer.NamesOf(slice).Zip(snapshot.States))
            {
                tensors[name] = ([slice.Length], Part(state, slice));
            }
        }
        return new Checkpoint(snapshot.NextStep, snapshot.LearningRateScale, Model.Plan.Optimizer.Kind, KindOf(Model.Plan.Schedule), tensors, [.. snapshot.Schedule])
        {
            ClippingKind = Model.Plan.Clipping?.Kind ?? "",
            Clipping = [.. snapshot.Clipping],
        };
    }

    private static float[] Part(float[] block, ParameterSlice slice) => block.AsSpan(slice.Offset, slice.Length).ToArray();

    /// <exception cref="TrainingException">The checkpoint belongs to another network, optimizer or schedule.</exception>
    public void Restore(Checkpoint checkpoint)
    {
        RequireKind("optimizer", checkpoint.OptimizerKind, Model.Plan.Optimizer.Kind);
        RequireKind("schedule", checkpoint.ScheduleKind, KindOf(Model.Plan.Schedule));
        RequireClipping(checkpoint);
        RequireTensors(checkpoint);
        Optimizer.Import(checkpoint.Tensors.ToDictionary(pair => pair.Key, pair => pair.Value.Elements));
        feedback?.Import(checkpoint.Schedule);
        for (int i = 0; i < clippingState.Length; i++)
        {
            clippingState[i] = checkpoint.Clipping[i];
        }
        foreach (ParameterSlice slice in Parameters.Slices)
        {
            checkpoint.Tensors[slice.Name].Elements.CopyTo(Parameters.Value(slice).Span);
        }
        FlushToZero.Apply(Parameters.Values, Pool);
        Optimizer.FlushDenormals(Pool);
        NextStep = checkpoint.NextStep;
        LearningRateScale = checkpoint.LearningRateScale;
    }

    /// <summary>Memory for this session's state; nothing is in it yet.</summary>
    public SessionSnapshot CreateSnapshot() => new(Parameters.Values.Length, Optimizer.States.Length, clippingState.Length, feedback is null ? 0 : PlateauState.StateLength);

    /// <summary>Bytes of one snapshot.</summary>
    public long SnapshotBytes => (1L + Optimizer.States.Length) * Parameters.Values.Length * sizeof(float);

    /// <summary>Keeps the state as it is now: a copy of memory; allocates nothing.</summary>
    /// <param name="snapshot">One that <see cref="CreateSnapshot"/> of this session made.</param>
    public void Keep(SessionSnapshot snapshot)
    {
        Parameters.Values.Span.CopyTo(snapshot.Values);
        for (int i = 0; i < snapshot.States.Length; i++)
        {
            Optimizer.States[i].Span.CopyTo(snapshot.States[i]);
        }
        clippingState.CopyTo(snapshot.Clipping, 0);
        feedback?.Export(snapshot.Schedule);
        (snapshot.NextStep, snapshot.LearningRateScale) = (NextStep, LearningRateScale);
    }

    /// <summary>Goes back to a state kept; every step from there is bit for bit what it was.</summary>
    /// <exception cref="InvalidOperationException">Nothing is in the snapshot.</exception>
    public void GoBack(SessionSnapshot snapshot)
    {
        if (snapshot.NextStep < 0)
        {
            throw new InvalidOperationException("The snapshot holds no state: keep one first.");
        }
        snapshot.Values.CopyTo(Parameters.Values.Span);
        for (int i = 0; i < snapshot.States.Length; i++)
        {
            snapshot.States[i].CopyTo(Optimizer.States[i].Span);
        }
        snapshot.Clipping.CopyTo(clippingState, 0);
        feedback?.Import(snapshot.Schedule);
        (NextStep, LearningRateScale) = (snapshot.NextStep, snapshot.LearningRateScale);
    }

    private static string KindOf(Schedule schedule) =>
        schedule is WarmupSchedule { Then: { } then } ? $"{schedule.Kind}+{KindOf(then)}" : schedule.Kind;

    private static void RequireKind(string what, string then, string now)
    {
        if (then != now)
        {
            throw new TrainingException($"the checkpoint was written with the {what} '{then}', this run has '{now}'; they must be the same for a run to go on");
        }
    }

    /// <summary>A rule that remembers nothing may come and go between two runs.</summary>
    private void RequireClipping(Checkpoint checkpoint)
    {
        string kind = Model.Plan.Clipping?.Kind ?? "";
        if (clippingState.Length > 0 || checkpoint.Clipping.Count > 0)
        {
            RequireKind("clipping", Named(checkpoint.ClippingKind), Named(kind));
        }
        if (checkpoint.Clipping.Count != clippingState.Length)
        {
            throw new TrainingException($"the checkpoint has {checkpoint.Clipping.Count} numbers for the clipping '{Named(kind)}'; it needs {clippingState.Length}");
        }

        static string Named(string kind) => kind.Length == 0 ? "none" : kind;
    }

    /// <summary>Every parameter is there with its shape, and nothing that belongs to neither network nor optimizer.</summary>
    private void RequireTensors(Checkpoint checkpoint)
    {
        foreach (ParameterSlice slice in Parameters.Slices)
        {
            if (!checkpoint.Tensors.TryGetValue(slice.Name, out (int[] Shape, float[] Elements) tensor))
            {
                throw new TrainingException($"the checkpoint has no tensor '{slice.Name}'; it belongs to another network");
            }
            if (tensor.Elements.Length != slice.Length)
            {
                throw new TrainingException($"the checkpoint's '{slice.Name}' has shape ({string.Join(", ", tensor.Shape)}); the network's has {slice.Shape}");
            }
        }
        HashSet<string> known = [.. Parameters.Slices.Select(slice => slice.Name), .. Optimizer.TensorNames];
        if (checkpoint.Tensors.Keys.FirstOrDefault(name => !known.Contains(name)) is { } foreign)
        {
            throw new TrainingException($"the checkpoint's tensor '{foreign}' belongs neither to this network nor to the state of {Optimizer.Kind}");
        }
    }
}
