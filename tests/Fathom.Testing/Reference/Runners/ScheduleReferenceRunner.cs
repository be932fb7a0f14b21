using Fathom.Training.Schedules;

namespace Fathom.Testing.Reference.Runners;

/// <summary>Learning-rate schedules, with one step per epoch. Rates of PyTorch are absolute, Fathom's are factors.</summary>
public sealed class ScheduleReferenceRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops =>
    [
        "step_lr", "multi_step_lr", "exponential_lr", "cosine_annealing_lr", "cosine_annealing_warm_restarts",
        "one_cycle_lr", "linear_warmup", "reduce_lr_on_plateau",
    ];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        int count = (int)reference.Number("count");
        long total = (long)reference.Number("total_steps", reference.Number("epochs", 1) * reference.Number("steps_per_epoch", count));
        double rate = reference.Number("base_lr", reference.Number("max_lr"));
        double[] metric = reference.Inputs.Contains("metric") ? reference.Tensor("metric").ToDoubles() : [];
        Schedule schedule = ScheduleOf(reference, rate);
        schedule.Validate();
        PlateauState? feedback = schedule.CreateFeedback();
        float[] rates = new float[count];
        for (int epoch = 0; epoch < count; epoch++)
        {
            rates[epoch] = (float)(rate * schedule.Factor(epoch, 1, total) * (feedback?.Factor ?? 1));
            feedback?.Report(metric[epoch]);
        }
        return reference.Mismatch("lr", rates) is { } mismatch ? [mismatch] : [];
    }

    /// <summary>The schedule of a case; an attribute that it leaves out has PyTorch's default.</summary>
    private static Schedule ScheduleOf(ReferenceCase reference, double rate)
    {
        double gamma = reference.Number("gamma", 0.1);
        double floor = reference.Number("eta_min", 0) / rate;
        return reference.Op switch
        {
            "step_lr" => new StepSchedule((int)reference.Number("step_size"), gamma),
            "multi_step_lr" => new MultiStepSchedule([.. reference.Attributes.GetProperty("milestones").EnumerateArray().Select(item => item.GetInt32())], gamma),
            "exponential_lr" => new ExponentialSchedule(gamma),
            "cosine_annealing_lr" => new CosineSchedule(reference.Number("T_max"), floor),
            "cosine_annealing_warm_restarts" => new CosineRestartsSchedule(reference.Number("T_0"), reference.Number("T_mult", 1), floor),
            "one_cycle_lr" => new OneCycleSchedule(reference.Number("pct_start"), reference.Number("div_factor"), reference.Number("final_div_factor"),
                reference.TextAttribute("anneal_strategy") == "linear" ? Annealing.Linear : Annealing.Cosine, reference.Flag("three_phase")),
            "linear_warmup" => new WarmupSchedule((long)reference.Number("total_iters", 5), reference.Number("start_factor", 1.0 / 3), reference.Number("end_factor", 1)),
            _ => new PlateauSchedule(reference.Number("factor", 0.1), (int)reference.Number("patience", 10),
                reference.TextAttribute("mode") == "max" ? Better.Larger : Better.Smaller, reference.Number("threshold", 1e-4),
                reference.TextAttribute("threshold_mode") != "abs", (int)reference.Number("cooldown", 0),
                reference.Number("min_lr", 0) / rate, reference.Number("eps", 1e-8) / rate),
        };
    }
}
