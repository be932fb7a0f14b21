using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Corpus;

/// <summary>Training without watching, to see what becomes of a network.</summary>
internal static class Trial
{
    /// <summary>Validation accuracy, or R² (not below 0), at the end; 0 for a network that diverged.</summary>
    public static double Score(Recipe recipe, ulong seed, WorkerPool pool, CancellationToken cancellation = default) =>
        Score(RecipeBuilder.Model(recipe, "trial", seed), RecipeBuilder.Data(recipe), pool, cancellation);

    /// <inheritdoc cref="Score(Recipe, ulong, WorkerPool, CancellationToken)"/>
    public static double Score(ModelDefinition model, DataSplit data, CancellationToken cancellation = default)
    {
        using WorkerPool pool = new(1);
        return Score(model, data, pool, cancellation);
    }

    /// <inheritdoc cref="Score(Recipe, ulong, WorkerPool, CancellationToken)"/>
    public static double Score(ModelDefinition model, DataSplit data, WorkerPool pool, CancellationToken cancellation)
    {
        using TrainingSession session = new(model, data, pool, watch: false);
        while (!session.Finished)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!double.IsFinite(session.Step().Loss))
            {
                return 0;
            }
        }
        double score = session.Evaluate(session.Data.Validation).Metric;
        return double.IsFinite(score) ? Math.Max(0, score) : 0;
    }

    /// <summary>What one gets without looking at the input: the share of the largest class; 0 for R².</summary>
    public static double Baseline(LearningTask task)
    {
        DataSet validation = task.Data.Validation;
        return task.Regression ? 0 : validation.Labels.ToArray().GroupBy(label => label).Max(group => group.Count()) / (double)validation.Count;
    }
}
