using Fathom.Compute;
using Fathom.Training.Execution;
using Fathom.Training.Optimizers;

namespace Fathom.Testing.Reference.Runners;

/// <summary>Optimizers over several steps with given gradients.</summary>
public sealed class OptimizerReferenceRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops =>
        ["sgd", "adagrad", "rmsprop", "adam", "adamw", "adamax", "nadam", "radam", "adadelta", "keras_sgd", "keras_adam"];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        int count = reference.Inputs.Count(name => name[0] == 'p');
        int steps = (int)reference.Number("steps");
        float[][] gradients = [.. Enumerable.Range(0, count).Select(i => reference.Tensor($"g{i}").ToSingles())];
        using ParameterStore<float> store = ParameterTensors.Store<float>([.. Enumerable.Range(0, count).Select(i => reference.Tensor($"p{i}").Shape.ToArray())]);
        for (int i = 0; i < count; i++)
        {
            reference.Tensor($"p{i}").ToSingles().CopyTo(store.Value(store.Slices[i]).Span);
        }
        Optimizer optimizer = OptimizerOf(reference);
        optimizer.Validate();
        using OptimizerState<float> state = new(store, optimizer);
        UpdateSize[] updates = new UpdateSize[count];
        List<float>[] seen = [.. Enumerable.Range(0, count).Select(_ => new List<float>())];
        for (int step = 0; step < steps; step++)
        {
            for (int i = 0; i < count; i++)
            {
                int length = store.Slices[i].Length;
                gradients[i].AsSpan(step * length, length).CopyTo(store.Gradient(store.Slices[i]));
            }
            state.Step(optimizer, RateAt(reference, step), step + 1, updates, WorkerPool.Single);
            for (int i = 0; i < count; i++)
            {
                seen[i].AddRange(store.Value(store.Slices[i]).Span);
            }
        }
        return [.. Enumerable.Range(0, count).Select(i => reference.Mismatch($"p{i}_steps", seen[i].ToArray())).OfType<string>()];
    }

    private static double RateAt(ReferenceCase reference, int step) =>
        reference.Has("learning_rates") ? reference.Attributes.GetProperty("learning_rates")[step].GetDouble() : reference.Number("lr");

    private static Optimizer OptimizerOf(ReferenceCase reference)
    {
        double rate = reference.Number("lr");
        double decay = reference.Number("weight_decay", 0);
        double epsilon = reference.Number("eps");
        double momentum = reference.Number("momentum", 0);
        bool nesterov = reference.Flag("nesterov");
        bool amsgrad = reference.Flag("amsgrad");
        (double beta1, double beta2) = Betas(reference);
        return reference.Op switch
        {
            "sgd" => new Sgd(rate, momentum, reference.Number("dampening", 0), decay, nesterov),
            "adagrad" => new Adagrad(rate, reference.Number("lr_decay", 0), decay, reference.Number("initial_accumulator_value", 0), epsilon),
            "rmsprop" => new RmsProp(rate, reference.Number("alpha"), epsilon, decay, momentum, reference.Flag("centered")),
            "adam" => new Adam(rate, beta1, beta2, epsilon, decay, amsgrad),
            "adamw" => new AdamW(rate, beta1, beta2, epsilon, decay, amsgrad),
            "adamax" => new Adamax(rate, beta1, beta2, epsilon, decay),
            "nadam" => new Nadam(rate, beta1, beta2, epsilon, decay, reference.Number("momentum_decay")),
            "radam" => new Radam(rate, beta1, beta2, epsilon, decay),
            "adadelta" => new Adadelta(rate, reference.Number("rho"), epsilon, decay),
            "keras_sgd" => new KerasSgd(rate, momentum, nesterov, decay),
            _ => new KerasAdam(rate, reference.Number("beta_1"), reference.Number("beta_2"), reference.Number("epsilon"), decay, amsgrad),
        };
    }

    private static (double, double) Betas(ReferenceCase reference) => reference.Has("betas")
        ? (reference.Attributes.GetProperty("betas")[0].GetDouble(), reference.Attributes.GetProperty("betas")[1].GetDouble())
        : (double.NaN, double.NaN);
}
