using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Causation;

/// <summary>
/// What can keep a network from learning, in the order in which one explains the others: steps that have blown the weights
/// up also leave dead and saturated units behind, which in turn let the gradient vanish.
/// </summary>
internal static class Suspects
{
    /// <summary>log10 ‖Δw‖/‖w‖ of a step that is too long, six times the healthy 1e-3, and of one that is too short; for a network that learns nothing.</summary>
    private const double Long = -2.2, Short = -3;

    /// <summary>Share of its weights by which a layer cannot move in the whole run even if each step goes the same way.</summary>
    private const double Reach = 0.5, ReachForSure = 0.2;

    /// <summary>Decades of the gradient over depth or time.</summary>
    private const double Decades = 3;

    /// <summary>Decades between the relative updates of layers that an optimizer without a scale moves alike.</summary>
    private const double Alike = 2;

    /// <summary>Decades over depth that theory may expect of a network that falls short, and trend of a loss that goes on falling.</summary>
    private const double FaintDecades = 1, FallingOn = 0.9;

    private const double Half = 0.5;

    /// <summary>log10 ‖Δw‖/‖w‖ at which steps are too long whatever else is seen: what they leave behind, such as saturation, is theirs.</summary>
    private const double FarTooLong = -1.6;

    public static IEnumerable<Suspicion> Of(Observation observation)
    {
        Suspicion tooLong = TooLong(observation), tooShort = TooShort(observation);
        // An optimizer without a scale makes up for a gradient that fades, but not for a rate that gets nowhere.
        bool nowhere = tooShort is { Supported: true, IsWeak: false } && observation.Optimizer is { IsAdaptive: true }
            && observation.Layers.Max(layer => layer.LogRelativeUpdate) - observation.Layers.Min(layer => layer.LogRelativeUpdate) < Alike;
        bool first = Typical(observation) > FarTooLong;
        Suspicion?[] all =
        [
            NothingComesBack(observation),
            Overwhelmed(observation),
            Blown(observation),
            OverTime(observation, grows: true),
            first ? tooLong : null,
            Saturated(observation),
            Dead(observation),
            nowhere ? tooShort : null,
            OverDepth(observation),
            OverTime(observation, grows: false),
            FromTheStart(observation),
            first ? null : tooLong,
            nowhere ? null : tooShort,
            Thrown(observation),
        ];
        return all.OfType<Suspicion>();
    }

    /// <summary>Steps somewhat short: no fault by itself, and the likeliest cause where a network is known to fall short and nothing stronger speaks.</summary>
    public static Suspicion Slow(Observation observation)
    {
        double step = Math.Pow(10, Typical(observation));
        bool slow = Typical(observation) < Short && observation.CouldBeLonger && !observation.WasThrown && observation.Losses.Trend < FallingOn;
        return new(Causes.LearningRateTooSmall, slow,
            slow ? $"a step changes the weights by {Number(step)}, and the loss of a batch would be lowest after one {Number(1 / observation.StepSharpness)} times as long" : $"steps somewhat short: one changes the weights by {Number(step)}",
            [], ["learning_rate", "optimizer"])
        { Action = $"Raise the learning rate ({Number(observation.Step.LearningRate)}) by a factor of 3 to 10.", IsWeak = true };
    }

    /// <summary>A start that lets the gradient change somewhat over depth, as theory has it: no fault by itself either.</summary>
    public static Suspicion Fades(Observation observation)
    {
        double decades = observation.ExpectedDecades;
        bool fades = Math.Abs(decades) > FaintDecades;
        return new(decades > 0 ? Causes.Vanishing : Causes.Exploding, fades,
            fades ? $"theory expects the gradient to change by {Factor(-decades)} over depth" : $"a gradient that changes over depth from the start: theory expects {Factor(-decades)}",
            [], ["batch_norm", "activation", "initialization", "residual"])
        { Action = decades > 0 ? "Use batch normalization, or a ReLU with He initialization." : "Use batch normalization, or smaller initial weights.", IsWeak = true };
    }

    /// <summary>No gradient even at the last layer, from the first step on: output and loss do not fit.</summary>
    private static Suspicion NothingComesBack(Observation observation)
    {
        LayerTrace last = observation.Layers[^1];
        // Steps that have blown weights up had a gradient once: they have driven the output to where it is flat.
        bool nothing = IsCutOff(last) && !IsOverwhelmed(observation) && !observation.Layers.Any(layer => layer.IsBlown);
        return new(Causes.WrongOutputOrLoss, nothing,
            nothing
                ? $"the output does not fit the loss, which sends no gradient at all, not even to {last.Layer.Name}"
                : IsCutOff(last) ? $"wrong output: a gradient arrived at {last.Layer.Name} before the weights were driven to where they are"
                : $"wrong output: a gradient of norm {Number(Math.Pow(10, last.MeanLogGradient))} arrives at {last.Layer.Name}",
            [last.Layer.Name], ["loss", "output"])
        {
            Action = "Choose the output's activation and the loss to fit each other and the labels.",
            Details = "A softmax over one unit, for one, is 1 whatever it is fed: the loss is constant, and its gradient 0.",
        };
    }

    private static bool IsCutOff(LayerTrace last) => last.MeanLogGradient <= LayerTrace.Floor + 0.5;

    /// <summary>A softmax or sigmoid that began with a loss far above that of knowing nothing was surely wrong: its inputs were too large.</summary>
    private static bool IsOverwhelmed(Observation observation) => observation.FirstLoss > 2 * observation.ConstantLoss
        && OutputMatch.OutputOf(observation.Network).Op is Softmax or Sigmoid && !OutputMatch.Of(observation.Network, observation.Model.Plan.Loss).Any(mismatch => mismatch.Fails);

    /// <summary>No gradient even at the last layer, since a function that fits the loss was flat from the start.</summary>
    private static Suspicion Overwhelmed(Observation observation)
    {
        LayerTrace last = observation.Layers[^1];
        bool flat = IsCutOff(last) && IsOverwhelmed(observation);
        return new(Causes.Exploding, flat,
            flat ? $"the signal is so large at {last.Layer.Name} that the output's function is flat there, and the loss ({Number(observation.FirstLoss)} at the start) sends no gradient"
                : $"a signal too large for the output: the loss began at {Number(observation.FirstLoss)}",
            [last.Layer.Name], ["initialization", "batch_norm"])
        { Action = "Use smaller initial weights, normalization or scaled inputs." };
    }

    private static Suspicion Blown(Observation observation)
    {
        LayerTrace[] blown = observation.CouldBeLonger && observation.Layers.Count(layer => layer.IsBlown) * 2 <= observation.Layers.Count ? [] : [.. observation.Layers.Where(layer => layer.IsBlown)];
        double most = observation.Layers.Select(layer => layer.LogGrowth).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        return new(Causes.LearningRateTooLarge, blown.Length > 0,
            blown.Length > 0
                ? $"the steps have blown the weights of {Span(blown)} up to {Number(Math.Pow(10, most))} times their initial norm"
                : $"weights blown up: the largest growth is ×{Number(Math.Pow(10, most))}",
            [.. blown.Select(layer => layer.Layer.Name)], ["learning_rate", "clip_norm", "optimizer"])
        { Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}), or clip the gradient's norm." };
    }

    private static Suspicion Saturated(Observation observation)
    {
        LayerTrace[] saturated = [.. observation.Layers.Where(layer => layer.Saturated > Half && layer.Activation!.Output != observation.Network.Output)];
        double most = observation.Layers.Select(layer => layer.Saturated).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        return new(Causes.Saturation, saturated.Length > 0,
            saturated.Length > 0
                ? $"{Percent(most)} of the outputs of {saturated[0].Activation!.Name} are saturated"
                : $"saturation: at most {Percent(most)} of a layer's outputs are saturated",
            [.. saturated.Select(layer => layer.Layer.Name)], ["initialization", "activation", "batch_norm"])
        {
            Action = "Use smaller initial weights, or normalise before the activation.",
            Details = "Where an activation is saturated its slope is near 0, and it passes on hardly any gradient.",
        };
    }

    private static Suspicion Dead(Observation observation)
    {
        LayerTrace[] dead = [.. observation.Layers.Where(layer => layer.Activation?.Op is Relu && layer.Zeros > 0.9)];
        double most = observation.Layers.Where(layer => layer.Activation?.Op is Relu).Select(layer => layer.Zeros).DefaultIfEmpty(0).Max();
        return new(Causes.DeadRelu, dead.Length > 0,
            dead.Length > 0
                ? $"{dead[0].Activation!.Name} gives 0 for {Percent(most)} of its outputs"
                : $"dead units: no ReLU layer gives 0 for more than {Percent(most)} of its outputs",
            [.. dead.Select(layer => layer.Layer.Name)], ["activation", "initialization", "bias", "batch_norm"])
        {
            Action = "Use a leaky activation, and biases that begin at 0.",
            Details = "A ReLU that gives 0 passes no gradient on.",
        };
    }

    private static Suspicion OverDepth(Observation observation)
    {
        DepthFit fit = observation.GradientOverDepth;
        bool vanishes = fit.Layers >= 3 && fit.Decades > Decades, explodes = fit.Layers >= 3 && fit.Decades < -Decades;
        string change = $"the gradient's norm changes by {Factor(-fit.Decades)} from the last to the first layer";
        return new(explodes ? Causes.Exploding : Causes.Vanishing, vanishes || explodes,
            vanishes || explodes ? change : $"vanishing or exploding over depth: {change}",
            vanishes ? [observation.Layers[0].Layer.Name] : [], ["initialization", "activation", "batch_norm", "residual"])
        { Action = "Use an initialisation that fits the activation, normalisation or residual connections." };
    }

    private static Suspicion OverTime(Observation observation, bool grows)
    {
        (string Name, double Change)[] layers = [.. observation.RecurrentLayers.Select(layer => (layer.Layer.Name, StateGradientChange(layer)))];
        (string Name, double Change)[] changed = [.. layers.Where(layer => grows ? layer.Change > Decades : layer.Change < -Decades)];
        return new(grows ? Causes.Exploding : Causes.Vanishing, changed.Length > 0,
            changed.Length > 0
                ? $"in {changed[0].Name} the gradient changes by {Factor(changed[0].Change)} from the last to the first time step"
                : $"{(grows ? "exploding" : "vanishing")} over time: " + (layers.Length == 0 ? "no layer is recurrent" : $"the gradient changes by no more than {Factor(layers.Max(layer => grows ? layer.Change : -layer.Change) * (grows ? 1 : -1))}"),
            [.. changed.Select(layer => layer.Name)], grows ? ["recurrent_initialization", "clip_norm", "recurrent"] : ["recurrent", "recurrent_initialization"])
        { Action = grows ? "Use orthogonal recurrent weights, and clip the gradient's norm." : "Use an LSTM or GRU, or orthogonal recurrent weights." };
    }

    /// <summary>The initial weights let the gradient fade, as theory has it, even if an optimizer without a scale has got it going since.</summary>
    private static Suspicion FromTheStart(Observation observation)
    {
        double decades = observation.ExpectedDecades;
        return new(Causes.Vanishing, decades > Decades,
            decades > Decades ? $"the initial weights let the gradient fade: theory expects its norm to change by {Factor(-decades)} over depth" : $"initial weights: theory expects the gradient's norm to change by only {Factor(-decades)} over depth",
            [observation.Layers[0].Layer.Name], ["activation", "initialization", "batch_norm", "residual"])
        { Action = "Use a ReLU with He initialization, normalization or residual connections.", IsWeak = true };
    }

    private static Suspicion TooLong(Observation observation)
    {
        double typical = Typical(observation), sharpness = observation.StepSharpness;
        bool isLong = typical > Long && !observation.CouldBeLonger;
        return new(Causes.LearningRateTooLarge, isLong,
            isLong ? $"a step changes the weights by about {Percent(Math.Pow(10, typical))}, where 0.1 % is healthy"
                : $"learning rate too large: a step changes the weights by {Number(Math.Pow(10, typical))}{(double.IsNaN(sharpness) ? "" : $", and rate × curvature along it is {Number(sharpness)}, where 2 is the edge of stability")}",
            [], ["learning_rate", "optimizer"])
        { Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}).", IsWeak = typical <= FarTooLong };
    }

    /// <summary>Nothing else stands out, but single steps have changed most of the weights: later steps, short as they are, go on from where those have thrown them.</summary>
    private static Suspicion Thrown(Observation observation)
    {
        double largest = Math.Pow(10, observation.TypicalLogLargestUpdate);
        bool thrown = observation.WasThrown && !observation.HasOddStart;
        return new(Causes.LearningRateTooLarge, thrown,
            thrown ? $"single steps have changed the weights by up to {Percent(largest)}, where 0.1 % is healthy" : $"a start that threw the weights away: single steps have changed them by up to {Percent(largest)}",
            [], ["learning_rate", "warmup", "optimizer"])
        { Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}), or warm it up.", IsWeak = true };
    }

    private static Suspicion TooShort(Observation observation)
    {
        Suspicion byLength = TooShortByLength(observation);
        return !byLength.Supported || !observation.IsRateSpent ? byLength : byLength with
        {
            Because = $"the schedule has left {Percent(observation.RateLeft)} of the learning rate, and {byLength.Because}",
            Action = $"Let the schedule lower the rate later or less: it is at {Number(observation.Step.LearningRate)} after {Percent(observation.Progress)} of the run.",
            Remedies = ["rate_decay", .. byLength.Remedies],
        };
    }

    private static Suspicion TooShortByLength(Observation observation)
    {
        double step = Math.Pow(10, Typical(observation)), reach = step * observation.TotalSteps;
        bool isShort = (reach < Reach || step < Math.Pow(10, Short)) && !observation.IsNearlyLongEnough && !observation.WasThrown;
        // The steps' own batches say so, if noise does not make every third of them go uphill.
        bool byCurvature = !isShort && !observation.WasThrown && observation.StepSharpness < 0.1 && observation.RaisedShare < 0.35;
        if (byCurvature)
        {
            return new(Causes.LearningRateTooSmall, true, $"the loss of a batch would be lowest after a step {Number(Math.Round(1 / observation.StepSharpness))} times as long", [], ["learning_rate", "optimizer"])
            { Action = $"Raise the learning rate ({Number(observation.Step.LearningRate)}) by a factor of 3 to 10.", IsWeak = true };
        }
        return new(Causes.LearningRateTooSmall, isShort,
            isShort ? step < 1e-40 ? "no step changes the weights at all" : $"a step changes the weights by only {Number(step)}, by {Percent(reach)} in the whole run"
                : $"learning rate too small: the run's steps can move the weights by {Percent(Math.Min(reach, 100))}{(observation.IsNearlyLongEnough ? $", and the loss of a batch is lowest after a step {Number(1 / observation.StepSharpness)} times as long" : "")}",
            [], ["learning_rate", "optimizer"])
        { Action = $"Raise the learning rate ({Number(observation.Step.LearningRate)}).", IsWeak = reach >= ReachForSure };
    }

    private static double StateGradientChange(StateTrace layer)
    {
        int read = layer.Reverse ? 0 : layer.MeanLogGradients.Count - 1;
        return layer.MeanLogGradients[layer.MeanLogGradients.Count - 1 - read] - layer.MeanLogGradients[read];
    }

    private static double Typical(Observation observation) => double.IsNaN(observation.TypicalLogUpdate) ? -3 : observation.TypicalLogUpdate;
}
