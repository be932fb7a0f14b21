using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// For most weights √v̂ is below ε. An adaptive optimizer then no longer divides by the gradient's size: it is plain descent at rate / ε, and its
/// steps are as short as the gradients are small.
/// </summary>
public sealed class EpsilonFloor : Rule
{
    /// <summary>Share of the weights that have had a gradient.</summary>
    private const double Most = 0.5;

    /// <summary>The largest ε of a framework's defaults with room to spare: 1e-8 PyTorch, 1e-7 Keras, 1e-6 LAMB. Below it not ε is unusual, but the gradient.</summary>
    private const double Usual = 1e-5;

    /// <summary>Share of the length they would have that is left to the steps.</summary>
    private const double Left = 0.1;

    /// <summary>Share of its weights by which a layer cannot move in the whole run.</summary>
    private const double Reach = 0.2;

    /// <summary>Share of the run that the averages may take to fill.</summary>
    private const double Start = 0.02;

    internal const string RuleId = "FTH053";

    public override string Id => RuleId;

    public override string Problem => "epsilon outweighs the gradient";

    public override string Threshold => "for more than half of the weights that get a gradient √v is below ε, which leaves a tenth of the steps or less, and the loss has not halved; an error where an ε above 1e-5 is to blame, all steps together would move the weights by less than 20 %, and the loss stands";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Optimizer is not { IsAdaptive: true, Epsilon: > 0 } view || observation.Progress < Start || observation.LossFalls || observation.MeasureSecondMoments() is not { } moments
            || !(moments.BelowFloor > Most) || moments.Shortening > Left)
        {
            return null;
        }
        if (view.Floor <= Usual && observation.Layers.Any(layer => layer.IsBlown))
        {
            return null; // steps that have blown weights up have left no gradient, whatever the ε
        }
        double reach = Math.Pow(10, observation.TypicalLogUpdate) * observation.TotalSteps;
        return Describe(observation, view, moments, reach);
    }

    private Finding Describe(Observation observation, OptimizerView view, SecondMoments moments, double reach)
    {
        bool large = view.Floor > Usual, starves = large && reach < Reach && observation.LossStands;
        double factor = 1 / Math.Max(moments.Shortening, 1e-30);
        string epsilon = view.EpsilonInRoot ? $"√ε = {Number(view.Floor)}" : $"ε = {Number(view.Floor)}";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = starves ? Severity.Error : Severity.Warning,
            Cause = large ? Causes.Other : Causes.Vanishing,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = starves ? 0.9 : 0.65,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("below_epsilon", new Evidence(moments.BelowFloor, Most))
                .Add("step_over_full_step", new Evidence(moments.Shortening, Left))
                .Add("movement_in_whole_run", new Evidence(reach, Reach)),
            Explanation =
                $"For {Percent(moments.BelowFloor)} of the weights √v is below {epsilon} (limit {Percent(Most)}): steps are {OneIn(factor)} of what {OptimizerParts.NameOf(observation.Model.Plan.Optimizer)} would take, and in the whole run move the weights by {Percent(reach)}.",
            Action = large ? $"Set epsilon to 1e-8 in place of {Number(view.Epsilon)}; the learning rate ({Number(observation.Step.LearningRate)}) then means what it says."
                : "Mend the gradient, which is smaller than a usual epsilon: look at initial weights, output scale and loss scale.",
            Details = $"The step is rate · m / (√v + ε). Where √v is far below ε it becomes rate / ε · m: descent without any adaptation, at the rate {Number(observation.Step.LearningRate / view.Floor)}. Some keep a large ε on purpose and raise the " +
                "rate with it; here the loss does not fall.",
            RuledOut = starves ? [$"learning rate too small: without ε the same rate would take steps {Number(factor)} times as long"] : [],
            Remedies = ["optimizer_settings", "optimizer", "learning_rate"],
        };
    }
}
