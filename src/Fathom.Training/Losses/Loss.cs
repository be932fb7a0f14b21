using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>What a loss compares the prediction with.</summary>
public enum TargetForm
{
    /// <summary>Class indices (N).</summary>
    Index,

    /// <summary>Real numbers of the prediction's shape: regression targets, one-hot rows, or 0/1 for one output.</summary>
    Real,
}

/// <summary>How a prediction is scored beside the loss.</summary>
public enum MetricKind
{
    /// <summary>Share of samples whose class is right.</summary>
    Accuracy,

    /// <summary>Coefficient of determination R² = 1 − SSE/SST; 0 for the mean as the prediction.</summary>
    R2,
}

/// <summary>What the network's output means to the loss; needed to read a class off it.</summary>
public enum OutputMeaning
{
    Logits,
    Probabilities,
    Values,

    /// <summary>Signed score; the class changes at 0, targets are −1 and 1.</summary>
    Margin,
}

/// <summary>A loss: which node it becomes, which targets it takes. A value; one file per loss.</summary>
public abstract record Loss
{
    /// <summary>The name in model files, such as <c>cross_entropy</c>.</summary>
    public abstract string Kind { get; }

    public abstract TargetForm Target { get; }

    public abstract OutputMeaning Output { get; }

    /// <summary>Adds the loss node, a scalar: the mean over the batch.</summary>
    /// <param name="builder">The graph under construction.</param>
    /// <param name="prediction">The network's output.</param>
    /// <param name="target">The targets, of the type that <see cref="TargetType"/> gives.</param>
    public abstract Value Attach(GraphBuilder builder, Value prediction, Value target);

    /// <summary>
    /// Whether the mean divides by the weights of the batch's targets, as PyTorch's does for class indices, in place of
    /// the number of samples.
    /// </summary>
    public virtual bool DividesByClassWeights => false;

    /// <summary>The same with class weights.</summary>
    /// <param name="builder">The graph under construction.</param>
    /// <param name="prediction">The network's output.</param>
    /// <param name="target">The targets.</param>
    /// <param name="classWeights">A number for each class: as many as the output has columns, 2 for one column.</param>
    /// <exception cref="TrainingException">The loss takes no class weights, or not these.</exception>
    public virtual Value Attach(GraphBuilder builder, Value prediction, Value target, IReadOnlyList<double> classWeights) =>
        throw new TrainingException($"loss {Kind}: it takes no class weights; leave class_weights out, or take cross_entropy, nll or binary_cross_entropy");

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public virtual void Validate()
    {
    }

    /// <summary>The type of the targets for a prediction.</summary>
    public TensorType TargetType(Value prediction) => Target == TargetForm.Index
        ? new TensorType(new Shape(prediction.Shape.Dims.RemoveAt(prediction.Shape.Rank - 1)), ElementKind.Index)
        : prediction.Type;

    /// <summary>Adds the weights as a vector, whose length must be that of the prediction's last axis.</summary>
    protected Value AddClassWeights(GraphBuilder builder, Value prediction, IReadOnlyList<double> classWeights)
    {
        Dim classes = prediction.Shape[^1];
        return !classes.PerSample && classes.Size == classWeights.Count
            ? builder.Add("class_weights", new ConstantVector([.. classWeights]), [])
            : throw new TrainingException($"loss {Kind}: there are {classWeights.Count} class weights; the output {prediction.Name} has {classes} classes");
    }

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"loss {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }
}
