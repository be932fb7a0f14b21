using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>A training plan as a PyTorch training loop.</summary>
internal sealed class PyTorchPlan(TrainingPlan plan, Graph graph, CodeLines lines)
{
    public void Write()
    {
        lines.Add();
        lines.Add();
        string batch = plan.BatchSize == TrainingPlan.FullBatch ? "of all samples" : $"of {Number(plan.BatchSize)} samples, shuffled";
        lines.Add($"def train(model, batches, epochs={Number(plan.Epochs)}):");
        lines.Indent++;
        lines.Add($"\"\"\"batches: a DataLoader of pairs (x, y), {batch}.");
        lines.Add();
        lines.Add($"x: {(graph.Inputs.First().Outputs[0].Kind == ElementKind.Index ? "int64" : "float32")} {graph.Inputs.First().Outputs[0].Shape}; y: {Targets()}.");
        lines.Add("\"\"\"");
        foreach (string unsaid in PlanNotes.Of(plan))
        {
            lines.Unsaid(unsaid);
        }
        Optimizer();
        Schedule();
        lines.Add("model.train()");
        lines.Add("for epoch in range(epochs):");
        lines.Indent++;
        lines.Add("for x, y in batches:");
        lines.Indent++;
        Step();
        lines.Indent -= 3;
    }

    /// <summary>What a batch's second tensor holds.</summary>
    private string Targets() => plan.Loss switch
    {
        CrossEntropy { OneHot: true } => $"float32 {graph.Output.Shape}, one-hot",
        CrossEntropy or NegativeLogLikelihood => $"int64 ({string.Join(", ", graph.Output.Shape.Dims.SkipLast(1))}{(graph.Output.Shape.Rank == 2 ? "," : "")}), classes from 0",
        BinaryCrossEntropy => $"0 or 1, {graph.Output.Shape}",
        Hinge => $"-1.0 or 1.0, {graph.Output.Shape}",
        _ => $"float32 {graph.Output.Shape}",
    };

    private void Optimizer()
    {
        if (Constructor(plan.Optimizer) is not { } constructor)
        {
            lines.Unsaid($"optimizer {plan.Optimizer.Kind}: PyTorch has none with these settings");
            lines.Add($"raise NotImplementedError({Text($"optimizer {plan.Optimizer.Kind}")})");
            return;
        }
        if (plan.Optimizer.Kind.StartsWith("keras_", StringComparison.Ordinal) && plan.Optimizer is not KerasSgd)
        {
            lines.Comment("Keras adds epsilon at another place than PyTorch: where gradients are tiny, steps are others.");
        }
        lines.Add($"optimizer = torch.optim.{constructor}");
    }

    private static string? Constructor(Optimizer optimizer) => optimizer switch
    {
        Sgd o => Call("SGD", o.LearningRate, Unless(o.Momentum == 0, "momentum", Number(o.Momentum)), Unless(o.Dampening == 0, "dampening", Number(o.Dampening)), Decay(o.WeightDecay), Unless(!o.Nesterov, "nesterov", "True")),
        KerasSgd { WeightDecay: 0 } o => Call("SGD", o.LearningRate, Unless(o.Momentum == 0, "momentum", Number(o.Momentum)), Unless(!o.Nesterov, "nesterov", "True")),
        Adam o => Call("Adam", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), Decay(o.WeightDecay), Unless(!o.Amsgrad, "amsgrad", "True")),
        AdamW o => Call("AdamW", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), $"weight_decay={Number(o.WeightDecay)}", Unless(!o.Amsgrad, "amsgrad", "True")),
        KerasAdam { WeightDecay: 0 } o => Call("Adam", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), Unless(!o.Amsgrad, "amsgrad", "True")),
        KerasAdam o => Call("AdamW", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), $"weight_decay={Number(o.WeightDecay)}", Unless(!o.Amsgrad, "amsgrad", "True")),
        KerasAdamW o => Call("AdamW", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), $"weight_decay={Number(o.WeightDecay)}", Unless(!o.Amsgrad, "amsgrad", "True")),
        RmsProp o => Call("RMSprop", o.LearningRate, $"alpha={Number(o.Alpha)}", Epsilon(o.Epsilon, 1e-8), Decay(o.WeightDecay), Unless(o.Momentum == 0, "momentum", Number(o.Momentum)), Unless(!o.Centered, "centered", "True")),
        KerasRmsProp { WeightDecay: 0, Momentum: 0 } o => Call("RMSprop", o.LearningRate, $"alpha={Number(o.Rho)}", Epsilon(o.Epsilon, 1e-8), Unless(!o.Centered, "centered", "True")),
        Adagrad o => Call("Adagrad", o.LearningRate, Unless(o.RateDecay == 0, "lr_decay", Number(o.RateDecay)), Decay(o.WeightDecay), Unless(o.InitialAccumulator == 0, "initial_accumulator_value", Number(o.InitialAccumulator)), Epsilon(o.Epsilon, 1e-10)),
        KerasAdagrad { WeightDecay: 0 } o => Call("Adagrad", o.LearningRate, $"initial_accumulator_value={Number(o.InitialAccumulator)}", Epsilon(o.Epsilon, 1e-10)),
        Adadelta o => Call("Adadelta", o.LearningRate, $"rho={Number(o.Rho)}", Epsilon(o.Epsilon, 1e-6), Decay(o.WeightDecay)),
        KerasAdadelta { WeightDecay: 0 } o => Call("Adadelta", o.LearningRate, $"rho={Number(o.Rho)}", Epsilon(o.Epsilon, 1e-6)),
        Adamax o => Call("Adamax", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), Decay(o.WeightDecay)),
        KerasAdamax { WeightDecay: 0 } o => Call("Adamax", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8)),
        Nadam o => Call("NAdam", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), Decay(o.WeightDecay), $"momentum_decay={Number(o.MomentumDecay)}"),
        Radam o => Call("RAdam", o.LearningRate, Betas(o.Beta1, o.Beta2), Epsilon(o.Epsilon, 1e-8), Decay(o.WeightDecay)),
        _ => null,
    };

    private static string Call(string name, double rate, params string?[] settings) => $"{name}({Join(["model.parameters()", $"lr={Number(rate)}", .. settings])})";

    private static string? Betas(double first, double second) => Unless((first, second) == (0.9, 0.999), "betas", $"({Number(first)}, {Number(second)})");

    private static string? Epsilon(double epsilon, double theirs) => Unless(epsilon == theirs, "eps", Number(epsilon));

    private static string? Decay(double decay) => Unless(decay == 0, "weight_decay", Number(decay));

    private void Schedule()
    {
        switch (plan.Schedule)
        {
            case ConstantSchedule:
                break;
            case OneCycleSchedule s:
                lines.Add("schedule = torch.optim.lr_scheduler.OneCycleLR(" + Join("optimizer", $"max_lr={Number(plan.Optimizer.LearningRate)}", "total_steps=epochs * len(batches)", $"pct_start={Number(s.RisingShare)}",
                    $"anneal_strategy=\"{(s.Annealing == Annealing.Cosine ? "cos" : "linear")}\"", "cycle_momentum=False", $"div_factor={Number(s.StartDivisor)}", $"final_div_factor={Number(s.EndDivisor)}", Unless(!s.ThreePhase, "three_phase", "True")) + ")");
                break;
            case var schedule when Factor(schedule) is { } factor:
                lines.Add("per_epoch, total = len(batches), epochs * len(batches)");
                lines.Add($"schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: {factor})");
                break;
            default:
                lines.Unsaid($"schedule {plan.Schedule.Kind}");
                break;
        }
    }

    private void Step()
    {
        lines.Add("optimizer.zero_grad()");
        if (Loss() is { } loss)
        {
            lines.Add($"loss = {loss}");
        }
        else
        {
            lines.Unsaid($"loss {plan.Loss.Kind}: PyTorch has none with these settings");
            lines.Add($"raise NotImplementedError({Text($"loss {plan.Loss.Kind}")})");
        }
        foreach (Regularizer rule in plan.Regularization)
        {
            (string Term, double Strength)? penalty = rule switch { L1 r => ("abs", r.Strength), L2 r => ("square", r.Strength), _ => null };
            if (penalty is { } given && rule.Layers.IsDefaultOrEmpty)
            {
                lines.Add($"loss = loss + {Number(given.Strength)} * sum(p.{given.Term}().sum() for p in model.parameters(){(rule.Vectors ? "" : " if p.dim() > 1")})");
            }
            else
            {
                lines.Unsaid($"regularization {rule.Kind}{(penalty is null ? "" : " of some layers")}");
            }
        }
        lines.Add("loss.backward()");
        Clip();
        lines.Add("optimizer.step()");
        if (plan.Schedule is OneCycleSchedule || (plan.Schedule is not ConstantSchedule && Factor(plan.Schedule) is not null))
        {
            lines.Add("schedule.step()");
        }
    }

    private void Clip()
    {
        string? call = plan.Clipping switch
        {
            null => "",
            ClipByGlobalNorm c => $"nn.utils.clip_grad_norm_({Join("model.parameters()", Number(c.MaxNorm), Unless(c.NormType == 2, "norm_type", Number(c.NormType)))})",
            ClipByValue c => $"nn.utils.clip_grad_value_(model.parameters(), {Number(c.Limit)})",
            ClipByTensorNorm c => $"for p in model.parameters(): nn.utils.clip_grad_norm_({Join("p", Number(c.MaxNorm), Unless(c.NormType == 2, "norm_type", Number(c.NormType)))})",
            _ => null,
        };
        if (call is null)
        {
            lines.Unsaid($"clip {plan.Clipping!.Kind}: PyTorch has none");
        }
        else if (call.Length > 0)
        {
            lines.Add(call);
        }
    }

    /// <summary>
    /// Classes are on the last axis here, and rows are averaged. Elementwise losses are flattened: of (N, 1) and (N,) PyTorch
    /// would make (N, N) without a word.
    /// </summary>
    private string? Loss()
    {
        string? weights = plan.ClassWeights is { IsBalanced: false } given ? $"weight=torch.tensor([{string.Join(", ", given.Numbers.Select(Number))}])" : null;
        return plan.Loss switch
        {
            CrossEntropy { OneHot: true } c => $"-(y * {(c.FromLogits ? "F.log_softmax(model(x), -1)" : "model(x).clamp(min=1e-7).log()")}).sum(-1).mean()" is var text && c.LabelSmoothing == 0 && weights is null ? text : null,
            CrossEntropy { FromLogits: true } c => $"F.cross_entropy({Join("model(x).flatten(0, -2)", "y.flatten()", weights, Unless(c.LabelSmoothing == 0, "label_smoothing", Number(c.LabelSmoothing)))})",
            CrossEntropy { LabelSmoothing: 0 } => $"F.nll_loss({Join("model(x).clamp(min=1e-7).log().flatten(0, -2)", "y.flatten()", weights)})",
            NegativeLogLikelihood => $"F.nll_loss({Join("model(x).flatten(0, -2)", "y.flatten()", weights)})",
            BinaryCrossEntropy b => $"F.binary_cross_entropy{(b.FromLogits ? "_with_logits" : "")}(model(x).flatten(), y.float().flatten())",
            MeanSquaredError => "F.mse_loss(model(x).flatten(), y.flatten())",
            MeanAbsoluteError => "F.l1_loss(model(x).flatten(), y.flatten())",
            Huber h => $"F.huber_loss({Join("model(x).flatten()", "y.flatten()", Unless(h.Delta == 1, "delta", Number(h.Delta)))})",
            Hinge => "(1 - y.flatten() * model(x).flatten()).clamp(min=0).mean()",
            KullbackLeibler { FromProbabilities: false } => "F.kl_div(model(x), y, reduction=\"batchmean\")",
            _ => null,
        };
    }
}

/// <summary>What neither Keras nor PyTorch has of a training plan.</summary>
internal static class PlanNotes
{
    public static IEnumerable<string> Of(TrainingPlan plan)
    {
        if (plan.Initialization is { } start)
        {
            yield return $"initialization {start.Kind}: the first batch scales the weights before step 1";
        }
        if (plan.Pretraining is { } pretraining)
        {
            yield return $"pretraining {pretraining.Kind}";
        }
        if (plan.ClassWeights is { IsBalanced: true })
        {
            yield return "class_weights balanced: they follow from the labels";
        }
        if (plan.Accumulate > 1)
        {
            yield return FormattableString.Invariant($"accumulate {plan.Accumulate}");
        }
        if (plan.Precision != Precision.Fp32)
        {
            yield return $"precision {RecordSchema.SnakeCase(plan.Precision.ToString())}";
        }
    }
}
