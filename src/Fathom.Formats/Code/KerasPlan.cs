using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>A training plan as Keras compiles and fits it.</summary>
internal sealed class KerasPlan(TrainingPlan plan, CodeLines lines)
{
    public void Write()
    {
        foreach (string unsaid in PlanNotes.Of(plan))
        {
            lines.Unsaid(unsaid);
        }
        foreach (Regularizer rule in plan.Regularization.Where(rule => rule is not (L1 or L2) || !rule.Layers.IsDefaultOrEmpty))
        {
            lines.Unsaid($"regularization {rule.Kind}{(rule is L1 or L2 ? " of some layers" : "")}");
        }
        string? clipping = Clipping();
        string? optimizer = Constructor(plan.Optimizer, clipping), loss = Loss();
        Missing(optimizer, $"optimizer {plan.Optimizer.Kind}");
        Missing(loss, $"loss {plan.Loss.Kind}");
        if (optimizer is not null && plan.Optimizer is not (Sgd or Lion) && !plan.Optimizer.Kind.StartsWith("keras_", StringComparison.Ordinal))
        {
            lines.Comment("PyTorch adds epsilon at another place than Keras: where gradients are tiny, steps are others.");
        }
        string metrics = plan.Loss is CrossEntropy or NegativeLogLikelihood or BinaryCrossEntropy ? ", metrics=[\"accuracy\"]" : "";
        lines.Add($"model.compile(optimizer={optimizer ?? "None"}, loss={loss ?? "None"}{metrics})");
        string callbacks = Schedule();
        string batch = plan.BatchSize == TrainingPlan.FullBatch ? "len(x)" : Number(plan.BatchSize);
        string weights = plan.ClassWeights is { IsBalanced: false } given ? $", class_weight={{{string.Join(", ", given.Numbers.Select((weight, i) => $"{Number(i)}: {Number(weight)}"))}}}" : "";
        lines.Comment($"model.fit(x, y, batch_size={batch}, epochs={Number(plan.Epochs)}{weights}{callbacks})");
    }

    private void Missing(string? value, string what)
    {
        if (value is null)
        {
            lines.Unsaid($"{what}: Keras has none with these settings");
            lines.Add($"raise NotImplementedError({Text(what)})");
        }
    }

    private string? Clipping()
    {
        switch (plan.Clipping)
        {
            case null:
                return null;
            case ClipByTensorNorm { NormType: 2 } c:
                return $"clipnorm={Number(c.MaxNorm)}";
            case ClipByGlobalNorm { NormType: 2 } c:
                return $"global_clipnorm={Number(c.MaxNorm)}";
            case ClipByValue c:
                return $"clipvalue={Number(c.Limit)}";
            default:
                lines.Unsaid($"clip {plan.Clipping.Kind}: Keras has none");
                return null;
        }
    }

    private static string? Constructor(Optimizer optimizer, string? clipping) => optimizer switch
    {
        Sgd { Dampening: 0, WeightDecay: 0 } o => Call("SGD", o.LearningRate, clipping, Unless(o.Momentum == 0, "momentum", Number(o.Momentum)), Unless(!o.Nesterov, "nesterov", "True")),
        KerasSgd o => Call("SGD", o.LearningRate, clipping, Unless(o.Momentum == 0, "momentum", Number(o.Momentum)), Unless(!o.Nesterov, "nesterov", "True"), Decay(o.WeightDecay)),
        Adam { WeightDecay: 0 } o => Call("Adam", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon), Unless(!o.Amsgrad, "amsgrad", "True")),
        AdamW o => Call("AdamW", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon), $"weight_decay={Number(o.WeightDecay)}", Unless(!o.Amsgrad, "amsgrad", "True")),
        KerasAdam o => Call("Adam", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon), Decay(o.WeightDecay), Unless(!o.Amsgrad, "amsgrad", "True")),
        KerasAdamW o => Call("AdamW", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon), $"weight_decay={Number(o.WeightDecay)}", Unless(!o.Amsgrad, "amsgrad", "True")),
        RmsProp { WeightDecay: 0, Momentum: 0 } o => Call("RMSprop", o.LearningRate, clipping, $"rho={Number(o.Alpha)}", Epsilon(o.Epsilon), Unless(!o.Centered, "centered", "True")),
        KerasRmsProp o => Call("RMSprop", o.LearningRate, clipping, $"rho={Number(o.Rho)}", Unless(o.Momentum == 0, "momentum", Number(o.Momentum)), Epsilon(o.Epsilon), Unless(!o.Centered, "centered", "True"), Decay(o.WeightDecay)),
        Adagrad { RateDecay: 0, WeightDecay: 0 } o => Call("Adagrad", o.LearningRate, clipping, $"initial_accumulator_value={Number(o.InitialAccumulator)}", Epsilon(o.Epsilon)),
        KerasAdagrad o => Call("Adagrad", o.LearningRate, clipping, $"initial_accumulator_value={Number(o.InitialAccumulator)}", Epsilon(o.Epsilon), Decay(o.WeightDecay)),
        Adadelta { WeightDecay: 0 } o => Call("Adadelta", o.LearningRate, clipping, $"rho={Number(o.Rho)}", Epsilon(o.Epsilon)),
        KerasAdadelta o => Call("Adadelta", o.LearningRate, clipping, $"rho={Number(o.Rho)}", Epsilon(o.Epsilon), Decay(o.WeightDecay)),
        Adamax { WeightDecay: 0 } o => Call("Adamax", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon)),
        KerasAdamax o => Call("Adamax", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon), Decay(o.WeightDecay)),
        KerasNadam o => Call("Nadam", o.LearningRate, clipping, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon), Decay(o.WeightDecay)),
        Lion o => Call("Lion", o.LearningRate, clipping, $"beta_1={Number(o.Beta1)}", $"beta_2={Number(o.Beta2)}", Decay(o.WeightDecay)),
        KerasLion o => Call("Lion", o.LearningRate, clipping, $"beta_1={Number(o.Beta1)}", $"beta_2={Number(o.Beta2)}", Decay(o.WeightDecay)),
        _ => null,
    };

    private static string Call(string name, double rate, string? clipping, params string?[] settings) => $"keras.optimizers.{name}({Join([Number(rate), .. settings, clipping])})";

    private static string? Betas(double first, double second) => Unless((first, second) == (0.9, 0.999), "beta_1", $"{Number(first)}, beta_2={Number(second)}");

    private static string? Epsilon(double epsilon) => Unless(epsilon == 1e-7, "epsilon", Number(epsilon));

    private static string? Decay(double decay) => Unless(decay == 0, "weight_decay", Number(decay));

    private string? Loss() => plan.Loss switch
    {
        CrossEntropy { OneHot: false, LabelSmoothing: 0 } c => $"keras.losses.SparseCategoricalCrossentropy(from_logits={Flag(c.FromLogits)})",
        CrossEntropy { OneHot: true } c => $"keras.losses.CategoricalCrossentropy({Join($"from_logits={Flag(c.FromLogits)}", Unless(c.LabelSmoothing == 0, "label_smoothing", Number(c.LabelSmoothing)))})",
        BinaryCrossEntropy b => $"keras.losses.BinaryCrossentropy(from_logits={Flag(b.FromLogits)})",
        MeanSquaredError => "keras.losses.MeanSquaredError()",
        MeanAbsoluteError => "keras.losses.MeanAbsoluteError()",
        Huber h => $"keras.losses.Huber({Number(h.Delta)})",
        Hinge => "keras.losses.Hinge()",
        _ => null,
    };

    /// <summary>The factor is set before each step, since Keras' own schedules know nothing of epochs.</summary>
    private string Schedule()
    {
        if (plan.Schedule is ConstantSchedule)
        {
            return "";
        }
        if (Factor(plan.Schedule) is not { } factor)
        {
            lines.Unsaid($"schedule {plan.Schedule.Kind}");
            return "";
        }
        foreach (string line in (string[])["", "", "class Rate(keras.callbacks.Callback):", "    step = 0", "",
            "    def on_train_batch_begin(self, batch, logs=None):", "        step, per_epoch = self.step, self.params[\"steps\"]", "        total = per_epoch * self.params[\"epochs\"]",
            $"        self.model.optimizer.learning_rate = {Number(plan.Optimizer.LearningRate)} * {factor}", "        self.step += 1", "", ""])
        {
            lines.Add(line);
        }
        return ", callbacks=[Rate()]";
    }
}
