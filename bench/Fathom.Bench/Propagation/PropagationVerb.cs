using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Fathom.Theory;

namespace Fathom.Bench.Propagation;

/// <summary><c>propagation</c>: whether theory's predictions hold, and what they cost.</summary>
internal static class PropagationVerb
{
    /// <summary>How far a predicted norm may lie from the mean over the draws.</summary>
    private const double Tolerance = 0.1;

    public static Command Create()
    {
        Command command = new("propagation", "Whether theory holds: known numbers, published rates, the gradients of 22 architectures over draws of their weights, and what a prediction costs. Exit status 1 if a layer's gradient is off by more than 10 %, or another part fails.");
        Option<int> seeds = new("--seeds") { HelpName = "N", DefaultValueFactory = _ => 50, Description = "Draws of each network (default 50)." };
        Option<string[]> networks = new("--network") { HelpName = "NAME", AllowMultipleArgumentsPerToken = true, Description = "Only these networks." };
        Option<string[]> only = new("--only") { HelpName = "PART", AllowMultipleArgumentsPerToken = true, Description = "Only these parts: numbers, batch-norm, nielsen, times, networks (default all; with --network only networks)." };
        only.AcceptOnlyFromAmong("numbers", "batch-norm", "nielsen", "times", "networks");
        Option<bool> layers = new("--layers") { Description = "Every layer of them, not only the worst." };
        command.Options.Add(seeds);
        command.Options.Add(networks);
        command.Options.Add(only);
        command.Options.Add(layers);
        command.SetAction((parsed, cancellation) =>
        {
            string[] names = parsed.GetValue(networks) ?? [];
            IReadOnlyList<ReferenceNetwork> chosen = names.Length == 0 ? ReferenceNetworks.All : [.. names.SelectMany(name => name.Split(',')).Select(Find)];
            string[] parts = parsed.GetValue(only) is { Length: > 0 } some ? some : names.Length > 0 ? ["networks"] : ["times", "numbers", "nielsen", "batch-norm", "networks"];
            bool fits = true;
            foreach (string part in parts)
            {
                fits &= part switch
                {
                    "times" => PublishedRates.Times(),
                    "numbers" => Numbers(),
                    "nielsen" => PublishedRates.NielsenRatios(6 * parsed.GetValue(seeds), cancellation),
                    "batch-norm" => PublishedRates.BatchNormRates(Math.Max(1, parsed.GetValue(seeds) / 5), cancellation),
                    _ => Networks(chosen, parsed.GetValue(seeds), parsed.GetValue(layers), cancellation),
                };
                Console.WriteLine();
            }
            return Task.FromResult(fits ? 0 : 1);
        });
        return command;
    }

    private static bool Numbers()
    {
        KnownNumber[] all = [.. KnownNumbers.All()];
        foreach (KnownNumber number in all.Where(number => !number.Holds))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  OFF {number.Name}: known {number.Known}, theory {number.Computed:G7}"));
        }
        KnownNumber worst = all.MaxBy(number => Math.Abs(number.Computed - number.Expected) / number.Allowed)!;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{all.Count(number => number.Holds)} of {all.Length} known numbers hold, within 1e-4 or the last digit known; nearest to its limit: {worst.Name}, known {worst.Known}, theory {worst.Computed:G7}"));
        return all.All(number => number.Holds);
    }

    private static bool Networks(IReadOnlyList<ReferenceNetwork> chosen, int seeds, bool all, CancellationToken cancellation)
    {
            bool fits = true;
            Console.WriteLine($"{"network",-17} {"layers",6}  {"gradient: worst",15} {"layer",-28} {"z",6}  {"sd/stated",9}   {"signal: worst",13} {"layer",-28}   {"weight gradient: worst",22}");
            foreach (ReferenceNetwork network in chosen)
            {
                fits &= Compare(network, seeds, all, cancellation);
            }
            return fits;
    }

    private static ReferenceNetwork Find(string name) => ReferenceNetworks.All.FirstOrDefault(network => network.Name == name)
        ?? throw new BenchException($"unknown network '{name}'; known are {string.Join(", ", ReferenceNetworks.All.Select(network => network.Name))}");

    private static bool Compare(ReferenceNetwork network, int seeds, bool all, CancellationToken cancellation)
    {
        PropagationPrediction prediction = SignalPropagation.Predict(network.Graph(), network.Data, new PredictionOptions { BatchSize = network.Batch });
        ImmutableArray<DrawnLayer> drawn = NetworkDraws.Measure(prediction, network.Data, seeds, cancellation: cancellation);
        Comparison[] backward = [.. drawn.Select(layer => new Comparison(layer.Prediction.Layer.Name, layer.Gradient, Math.Pow(10, 2 * layer.Prediction.Log10Gradient), layer.Prediction.LogDeviation))];
        Comparison[] forward = [.. drawn.Select(layer => new Comparison(layer.Prediction.Layer.Name, layer.Forward, layer.Prediction.PreActivation.SecondMoment, layer.Prediction.SignalDeviation))];
        Comparison[] weights = [.. drawn.Select(layer => new Comparison(layer.Prediction.Layer.Name, layer.WeightGradient, Math.Pow(10, 2 * layer.Prediction.Log10WeightGradient), layer.Prediction.WeightGradientDeviation))];
        Comparison back = Worst(backward), ahead = Worst(forward), weight = Worst(weights);
        string text = string.Create(CultureInfo.InvariantCulture,
            $"{network.Name,-17} {drawn.Length,6}  {back.Ratio,15:0.000} {back.Name,-28} {back.Score,6:0.0}  {backward[0].SpreadRatio,9:0.00}   {ahead.Ratio,13:0.000} {ahead.Name,-28}   {weight.Ratio,22:0.000} {weight.Name}");
        Console.WriteLine(text);
        for (int l = 0; all && l < drawn.Length; l++)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"    {backward[l].Name,-36} gradient {backward[l].Predicted,10:0.00e+0} drawn {backward[l].Measured,10:0.00e+0} ratio {backward[l].Ratio:0.000} sd {backward[l].Spread:0.000} stated {drawn[l].Prediction.LogDeviation:0.000}  signal {forward[l].Ratio:0.000} sd {forward[l].Spread:0.000} stated {forward[l].Stated:0.000}  weight {weights[l].Ratio:0.000} sd {weights[l].Spread:0.000} stated {weights[l].Stated:0.000}"));
        }
        return Math.Abs(back.Ratio - 1) <= Tolerance;
    }

    private static Comparison Worst(Comparison[] layers) => layers.MaxBy(layer => Math.Abs(Math.Log(Math.Max(layer.Ratio, 1e-300))))!;
}

/// <summary>A predicted norm beside those of the draws.</summary>
/// <param name="Name">The layer.</param>
/// <param name="Squares">Mean squares by draw.</param>
/// <param name="PredictedSquare">The predicted mean square.</param>
/// <param name="Stated">One standard deviation of log10 of the norm, as predicted.</param>
internal sealed record Comparison(string Name, ImmutableArray<double> Squares, double PredictedSquare, double Stated)
{
    public double Measured => Math.Sqrt(Squares.Average());

    public double Predicted => Math.Sqrt(PredictedSquare);

    /// <summary>Predicted over the draws' root mean square.</summary>
    public double Ratio => Predicted / Measured;

    /// <summary>Standard deviation of log10 of the norm over the draws.</summary>
    public double Spread
    {
        get
        {
            double[] logs = [.. Squares.Select(square => Math.Log10(square) / 2)];
            double mean = logs.Average();
            return Math.Sqrt(logs.Sum(log => (log - mean) * (log - mean)) / Math.Max(1, logs.Length - 1));
        }
    }

    /// <summary>The draws' spread over the stated one.</summary>
    public double SpreadRatio => Spread / Stated;

    /// <summary>How many standard errors of the draws' mean lie between prediction and mean.</summary>
    public double Score
    {
        get
        {
            double mean = Squares.Average();
            double error = Math.Sqrt(Squares.Sum(square => (square - mean) * (square - mean)) / Math.Max(1, Squares.Length - 1) / Squares.Length);
            return (PredictedSquare - mean) / error;
        }
    }
}
