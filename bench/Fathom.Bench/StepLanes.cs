using System.Diagnostics;
using System.Runtime;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Bench;

/// <summary>Times single steps.</summary>
public abstract class StepLane(string name) : ILane, IDisposable
{
    private const int FewestSteps = 3;
    private const int MostWarmUps = 8;
    private const int FewMethods = 3;

    public string Name { get; } = name;

    public abstract TrainingSession Session { get; }

    public Turn Run(double seconds)
    {
        List<double> milliseconds = [];
        int steps = 0;
        long started = Stopwatch.GetTimestamp();
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
        while (milliseconds.Count < FewestSteps || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
        {
            bool endsEpoch = (Session.NextStep + 1) % Session.StepsPerEpoch == 0;
            long before = Stopwatch.GetTimestamp();
            Step();
            double elapsed = Stopwatch.GetElapsedTime(before).TotalMilliseconds;
            steps++;
            if (!endsEpoch) // what an epoch's end evaluates is no part of a step
            {
                milliseconds.Add(elapsed);
            }
        }
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        return new Turn(milliseconds, cpu.TotalMilliseconds / steps);
    }

    /// <summary>
    /// Steps until caches and branch predictors know the code and it is compiled at its best: until a turn of half a second
    /// passes in which the runtime has compiled next to nothing anew. Small networks take thousands of methods there, and a
    /// watched step more than a bare one, so that a fixed time would flatter the bare one.
    /// </summary>
    /// <param name="seconds">At least so long.</param>
    public void WarmUp(double seconds)
    {
        Run(seconds);
        for (int turn = 0; turn < MostWarmUps; turn++)
        {
            long compiled = JitInfo.GetCompiledMethodCount();
            Run(0.5);
            if (JitInfo.GetCompiledMethodCount() - compiled <= FewMethods)
            {
                return;
            }
        }
    }

    public abstract void Dispose();

    protected abstract void Step();
}

/// <summary>A step that nobody watches.</summary>
public sealed class BareLane(ModelDefinition model, DataSplit data, WorkerPool pool, string name = "bare", bool flush = true) : StepLane(name)
{
    public override TrainingSession Session { get; } = new(model, data, pool, watch: false) { FlushDenormals = flush };

    public override void Dispose() => Session.Dispose();

    protected override void Step() => Session.Step();
}

/// <summary>A step as `fathom train --run FILE` makes it: every probe, every rule, and a row in the run file.</summary>
public sealed class WatchedLane : StepLane
{
    private readonly WatchedRun run;
    private readonly string? directory;

    public WatchedLane(ModelDefinition model, DataSplit data, WorkerPool pool, bool record = true, string name = "watched") : base(name)
    {
        run = new WatchedRun(model, data, pool);
        if (record)
        {
            directory = Directory.CreateTempSubdirectory("fathom-bench-").FullName;
            RunHeader header = new() { Name = model.Name, Model = model.Name, Seed = model.Plan.Seed, PlannedSteps = run.Session.TotalSteps };
            run.Recorder = RunRecorder.Create(Path.Combine(directory, "bench.run"), header, run.Session, overwrite: true);
        }
    }

    public override TrainingSession Session => run.Session;

    public override void Dispose()
    {
        run.Dispose();
        if (directory is not null)
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    protected override void Step()
    {
        run.Advance(run.Session.NextStep + 1);
        if (run.Ended)
        {
            throw new BenchException($"{run.Session.Model.Name} ended at step {run.Session.NextStep} with status {run.Status}; measure for a shorter time");
        }
    }
}
