using Fathom.Graphs.Ops;

namespace Fathom.Docs.Tests.Reference;

/// <summary>A page of the reference.</summary>
/// <param name="File">Its name without ending.</param>
/// <param name="Title">Its heading.</param>
/// <param name="Key">Where a model file names such a part; null for <c>layers</c>.</param>
/// <param name="Introduction">What stands before the entries.</param>
internal sealed record Page(string File, string Title, string? Key, string Introduction);

/// <summary>Which part stands on which page: one list per family of ops, and one page for each other catalog.</summary>
internal static class Pages
{
    public static readonly Page Activations = new("activations", "Activations", null, ActivationFacts.Introduction);

    private static readonly Page Structure = new("structure", "Structure", null,
        "Layers that carry, join and reshape what others compute.");

    private static readonly (Page Page, string[] Kinds)[] Families =
    [
        (Activations, ["prelu", "rrelu", "softmax", "log_softmax", "maxout", "glu", "swiglu"]),
        (new("normalization", "Normalization", null, "Layers that bring each feature, sample or group to mean 0 and variance 1, whatever the layers before did to them."),
            ["batch_norm", "layer_norm", "rms_norm", "group_norm"]),
        (Structure,
            ["dense", "matmul", "add", "multiply", "subtract", "average", "maximum", "minimum", "concat", "flatten", "reshape", "transpose", "mean", "max", "sum", "select",
             "slice", "pad", "scale", "shift", "rescaling", "gated_sum"]),
        (new("capsules", "Capsules and goodness", null, "Layers beyond backpropagation's usual ones: capsules with routing by agreement, and the goodness of forward-forward training."),
            ["squash", "capsule", "capsule_length", "goodness"]),
        (new("noise", "Dropout and noise", null, "Layers that disturb what passes through them in training, and let it pass in evaluation."),
            ["dropout", "alpha_dropout", "gaussian_dropout", "gaussian_noise", "spatial_dropout"]),
        (new("convolution", "Convolution and pooling", null, "Images are (N, C, H, W), sequences (N, C, T), unless `channels_last` says otherwise."),
            ["conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
             "global_avg_pool", "global_max_pool", "zero_pad2d", "upsample2d"]),
        (new("recurrent", "Recurrent layers", null, "Sequences are samples first: (N, T, features). Gradients go back through time; `truncate` cuts them."),
            ["rnn", "lstm", "gru"]),
        (new("attention", "Attention and sequences", null, "Sequences are samples first: (N, T, features). A mask is real, (N, T), with 1 where a place may be seen and 0 for padding."),
            ["embedding", "positional_embedding", "sinusoidal_positions", "padding_mask", "scaled_dot_product_attention", "multi_head_attention"]),
    ];

    private static readonly Dictionary<string, Page> ByCatalog = new()
    {
        ["BlockCatalog"] = new("blocks", "Blocks", null, "Named arrangements of layers. A block becomes ordinary nodes, `name.part`, which can be watched one by one."),
        ["LossCatalog"] = new("losses", "Losses", "loss", "What training minimizes. The plots show the loss of one output against its value, and the gradient with which backpropagation begins."),
        ["MetricCatalog"] = new("metrics", "Metrics", "metrics", "What is reported beside the loss after each epoch."),
        ["OptimizerCatalog"] = new("optimizers", "Optimizers", "optimizer", "How a gradient g becomes a change of the parameters. Those named `keras_…` follow Keras' rules and defaults, the others PyTorch's."),
        ["ScheduleCatalog"] = new("schedules", "Schedules", "schedule", "Factors on the optimizer's learning rate."),
        ["ClippingCatalog"] = new("clipping", "Clipping", "clip", "What is done to gradients between backpropagation and the optimizer: the usual first aid where they explode."),
        ["RegularizerCatalog"] = new("regularization", "Regularization", "regularization", "What holds weights back beside the loss."),
        ["InitializerCatalog"] = new("initializers", "Initializers", "initializer", InitializerFacts.Introduction),
        ["InitializationCatalog"] = new("initialization", "Initialization of whole networks", "initialization", "Rules that need the whole network, or data, to set its weights before the first step."),
        ["PretrainingCatalog"] = new("pretraining", "Pre-training", "pretraining", "Training layer by layer before the whole network is trained."),
    };

    /// <summary>All pages that a part stands on, in the order of the table of contents.</summary>
    public static IReadOnlyList<Page> All { get; } =
        [.. Families.Select(family => family.Page).Concat(ByCatalog.Values).Where(page => Part.All.Any(part => Find(part) == page))];

    /// <summary>The page of a part; null if no family has it.</summary>
    public static Page? Find(Part part) => part.Catalog == "OpCatalog"
        ? part.Value is Activation ? Activations : Array.Find(Families, family => family.Kinds.Contains(part.Kind)).Page
        : ByCatalog.GetValueOrDefault(part.Catalog);
}
