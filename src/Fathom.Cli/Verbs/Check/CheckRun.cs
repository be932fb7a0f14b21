using System.Collections.Immutable;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Graphs;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Check;

/// <summary>One <c>fathom check</c>: theory, measurement, findings, text and JSON.</summary>
internal sealed class CheckRun(LoadedModel loaded, CheckSettings settings, Terminal terminal)
{
    /// <summary>Floating-point operations that all of the measuring may take unasked: about a second.</summary>
    private const double QuickWork = 2e10;

    private readonly List<string> notes = [];

    private ModelDefinition Model => loaded.Model;

    /// <returns>The exit status.</returns>
    public int Run()
    {
        DataSplit? data = Model.Data is null ? null : ModelArguments.LoadData(loaded);
        if (data is not null || Model.Graph.Inputs.Count() == 1)
        {
            // What training would refuse, such as a gradient that a layer cannot give, is refused here.
            TrainingGraph.Build(Model.Graph, Model.Plan.Loss);
        }
        // Theory and then the audit take a thread, and the measuring needs them at its end only.
        Task<PropagationPrediction> theory = Task.Run(() => Predict(data));
        Task<PrecisionForecast?> precision = theory.ContinueWith(done => Precision(done.GetAwaiter().GetResult(), data), TaskScheduler.Default);
        // Weights that are given, or that a rule changes before step 1, are not judged as they would be drawn.
        bool drawn = settings.Weights is null && Model.Plan.Initialization is null;
        Task<ImmutableArray<Finding>> audit = theory.ContinueWith(done => DataAudit.Inspect(Model, data, drawn ? done.GetAwaiter().GetResult() : null), TaskScheduler.Default);
        int rows = data is null ? Model.Plan.MicroBatch(TrainingPlan.FullBatch) : Model.Plan.MicroBatch(data.Training.Count);
        MemoryEstimate memory = MemoryEstimate.Of(Model, data is null && rows > 1024 ? 32 : rows);
        int steps = data is null ? 0 : new BatchOrder(data.Training.Count, Math.Min(Model.Plan.BatchSize, data.Training.Count), Model.Plan.Seed).StepsPerEpoch;
        PreflightReport? report = WhyNotMeasured(memory, rows) is { } reason ? Skip(reason) : Measure(data, theory);
        PropagationPrediction prediction = theory.GetAwaiter().GetResult();
        LearningRateRange? range = settings.LearningRateRange ? TestRange(data) : null;
        CheckOutcome outcome = new(Model, prediction, report, range, memory, steps, Findings(audit.GetAwaiter().GetResult(), prediction, report, steps), [.. notes, .. report?.Notes ?? []])
        {
            Precision = precision.GetAwaiter().GetResult(),
        };
        new CheckText(outcome, settings.Verbose, terminal).Write(data);
        ResultJson.Write(settings.Json, terminal, Model.Name, outcome.Findings, null, preflight: settings.Json is null ? null : PreflightJson.Of(outcome));
        return FailOn.Status(settings.FailOn, outcome.Findings);
    }

    private PropagationPrediction Predict(DataSplit? data) => data is not null
        ? WatchedRun.Predict(Model, data.Training)
        : SignalPropagation.Predict(Model.Graph, DataMoments.Standardized, PredictionOptions.Default with { BatchSize = Model.Plan.MicroBatch(TrainingPlan.FullBatch) });

    private PrecisionForecast? Precision(PropagationPrediction prediction, DataSplit? data) =>
        OutputGradient.Of(Model, prediction, data?.Training) is { } unit ? PrecisionForecast.Of(prediction, unit.Log10Rms) : null;

    private ImmutableArray<Finding> Findings(ImmutableArray<Finding> audit, PropagationPrediction prediction, PreflightReport? report, int stepsPerEpoch) =>
        PreflightChain.Link(audit, PreflightCatalog.Inspect(Model, prediction, report, (long)stepsPerEpoch * Model.Plan.Epochs));

    private PreflightReport? Skip(string reason)
    {
        if (!settings.TheoryOnly)
        {
            notes.Add($"theory only: {reason}");
        }
        return null;
    }

    /// <summary>Why nothing can be measured, or only slowly; null if it can.</summary>
    private string? WhyNotMeasured(MemoryEstimate memory, int rows)
    {
        if (settings.TheoryOnly)
        {
            return "asked for";
        }
        if (Model.Graph.Inputs.Count() != 1)
        {
            return $"the network has {Model.Graph.Inputs.Count()} inputs ({string.Join(", ", Model.Graph.Inputs.Select(node => node.Name))}), and measuring takes one";
        }
        long fixedMemory = memory.Parameters + memory.Gradients + memory.OptimizerState;
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (fixedMemory > 0.8 * available)
        {
            return $"weights, gradients and optimizer take {Bytes.Text(fixedMemory)}, and this machine has {Bytes.Text(available)}";
        }
        double least = MeasuredPreflight.Work(Model.Graph, Math.Min(2, rows));
        bool asked = settings.Seeds is not null || settings.Weights is not null || settings.Spectrum;
        return least > QuickWork && !asked ? $"a step of 2 rows takes about {Number(least / 1e9)} GFLOP; --seeds 1 measures it all the same" : null;
    }

    private PreflightReport? Measure(DataSplit? data, Task<PropagationPrediction> theory)
    {
        bool asked = settings.Seeds is not null;
        double work = MeasuredPreflight.Work(Model.Graph, 1);
        PreflightOptions options = new()
        {
            Seeds = settings.Seeds ?? 5,
            Budget = asked ? TimeSpan.MaxValue : PreflightOptions.Default.Budget,
            MostWork = asked ? double.PositiveInfinity : QuickWork / 5,
            Weights = settings.Weights is { } path ? WeightsFile.Read(path) : null,
            Spectrum = settings.Spectrum,
            Correlations = settings.Spectrum,
            MostElements = 1L << 28,
        };
        using WorkerPool pool = Workers.Start(settings.Threads);
        try
        {
            PreflightReport? report = null;
            if (terminal.Interactive && (settings.Spectrum || asked) && work * 32 * (options.Seeds + (settings.Spectrum ? 64 : 0)) > QuickWork)
            {
                terminal.WithProgress(progress => report = MeasuredPreflight.Run(Model, data, () => theory.GetAwaiter().GetResult(), options, pool, (what, share) => progress.Report(what, share)));
            }
            return report ?? MeasuredPreflight.Run(Model, data, () => theory.GetAwaiter().GetResult(), options, pool);
        }
        catch (InsufficientMemoryException error)
        {
            return Skip($"the network does not fit into memory ({error.Message.TrimEnd('.')})");
        }
        catch (TrainingException error) when (settings.Weights is not null)
        {
            throw new TrainingException($"{settings.Weights}: {error.Message}");
        }
        catch (TrainingException error) when (data is null)
        {
            return Skip($"without data there are no targets to measure with ({error.Message})");
        }
    }

    private LearningRateRange TestRange(DataSplit? data)
    {
        if (data is null)
        {
            throw new UsageException($"{loaded.Path}: --lr-range trains, and the model file names no data; give --data");
        }
        using WorkerPool pool = Workers.Start(settings.Threads);
        LearningRateRange? range = null;
        terminal.WithProgress(progress => range = LearningRateRange.Test(Model, data, pool,
            progress: (share, loss) => progress.Report("learning-rate range", share, $"loss {Number(loss)}")));
        return range!;
    }
}
