using Fathom.Graphs;

namespace Fathom.Testing.Reference.Runners;

/// <summary>Runs cases that are one op on the case's inputs in their order.</summary>
public abstract class SingleOpRunner : ReferenceRunner
{
    protected abstract Op OpOf(ReferenceCase reference);

    /// <summary>Whether the op is in training.</summary>
    protected virtual bool Training(ReferenceCase reference) => reference.Flag("training", true);

    /// <summary>The shape that the op sees; the elements stay the same.</summary>
    protected virtual int[] ShapeOf(ReferenceCase reference, string input) => [.. reference.Tensor(input).Shape];

    /// <summary>Which output of the op an output of the case is.</summary>
    protected virtual int OutputIndex(string output) => 0;

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        GraphRun<float> run = new() { Training = Training(reference) };
        Value[] inputs = [.. reference.Inputs.Select(name => run.Real(name, ShapeOf(reference, name), reference.Tensor(name).ToSingles()))];
        Node node = run.Builder.Add("op", OpOf(reference), inputs).Node;
        foreach (string name in reference.Outputs)
        {
            float[]? upstream = reference.Upstream.Contains(name) ? reference.Tensor($"grad_output.{name}").ToSingles() : null;
            run.Output(name, new Value(node, OutputIndex(name)), upstream);
        }
        run.Execute(reference.GradientInputs);
        return
        [
            .. reference.Outputs.Select(name => reference.Mismatch(name, run.Results[name])).OfType<string>(),
            .. reference.GradientInputs.Select(name => reference.Mismatch($"grad.{name}", run.Gradients[name])).OfType<string>(),
        ];
    }
}
