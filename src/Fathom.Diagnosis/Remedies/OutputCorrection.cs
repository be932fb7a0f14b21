using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Takes the functions at the output away that the targets or the loss do not bear, and has the loss work on what the last
/// layer itself gives: logits with a cross-entropy for classes, a linear output for values. One column for more than two
/// classes becomes a column for each.
/// </summary>
public sealed class OutputCorrection : Remedy
{
    public override string Kind => "output";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Precondition => "output and loss do not suit each other or the targets, and the functions behind the last layer are to blame";

    public override string Effect => "the loss's gradient over logits is p − t, over a linear output ŷ − t: neither fades where the network is wrong";

    public override string Source => "Bridle 1990; Golik, Doetsch and Ney 2013";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        OutputChain chain = new(model.Graph, model.Plan.Loss, history.Data);
        DataSet? data = history.Data;
        if (chain.IsRegression)
        {
            bool wrong = chain.Functions.Count > 0 && (chain.MissesTargets() || chain.Mismatches(model.Plan.Loss));
            if (wrong && model.Plan.Loss is MeanSquaredError or MeanAbsoluteError or Huber)
            {
                yield return new Prescription(this, "linear output", old => Bare(old, old.Plan.Loss, data));
            }
            yield break;
        }
        if (chain.Columns == 1 && chain.Classes > 2 && chain.Layer is not null)
        {
            int classes = chain.Classes;
            yield return new Prescription(this, $"{classes} outputs, cross-entropy on logits", old => Bare(old, Logits(old.Plan.Loss), data, classes));
        }
        else if (chain.Functions.Count > 0 && chain.Mismatches(model.Plan.Loss) && (chain.Columns == 1 || chain.Columns >= chain.Classes))
        {
            yield return chain.Columns == 1
                ? new Prescription(this, "no output function, binary cross-entropy on logits", old => Bare(old, new BinaryCrossEntropy(), data))
                : new Prescription(this, "no output function, cross-entropy on logits", old => Bare(old, Logits(old.Plan.Loss), data));
        }
    }

    private static CrossEntropy Logits(Loss loss) => loss is CrossEntropy entropy ? entropy with { FromLogits = true } : new CrossEntropy();

    private static ModelDefinition Bare(ModelDefinition model, Loss loss, DataSet? data, int? units = null) => model with
    {
        Graph = OutputChain.Bare(model.Graph, model.Plan.Loss, data, units),
        Plan = model.Plan with { Loss = loss },
    };
}
