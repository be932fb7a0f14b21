using System.CommandLine;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Filters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace Fathom.Bench;

/// <summary><c>kernels</c>: single kernels, measured by BenchmarkDotNet.</summary>
internal static class KernelsVerb
{
    private static readonly Type[] Classes = [typeof(ProductBenchmarks), typeof(TensorBenchmarks), typeof(LayerBenchmarks)];

    public static Command Create()
    {
        Command command = new("kernels", "Single kernels, measured by BenchmarkDotNet: products, passes over a tensor, and one layer's forward and backward pass.");
        Option<string> filter = new("--filter") { HelpName = "GLOB", DefaultValueFactory = _ => "*", Description = "Which, such as *Product* (default all)." };
        Option<bool> brief = new("--short") { Description = "A short run: three iterations of each instead of as many as it takes." };
        command.Options.Add(filter);
        command.Options.Add(brief);
        command.SetAction(parsed =>
        {
            // In this process, so that what was built is what is measured, whatever the environment says of SIMD tiers.
            Job job = (parsed.GetValue(brief) ? Job.ShortRun : Job.Default).WithToolchain(InProcessNoEmitToolchain.Instance);
            IConfig config = DefaultConfig.Instance.AddJob(job).AddFilter(new GlobFilter([parsed.GetValue(filter)!]));
            // One by one: BenchmarkDotNet's own search passes over sealed classes, which only its other toolchains cannot have.
            BenchmarkRunner.Run([.. Classes.Select(type => BenchmarkConverter.TypeToBenchmarks(type, config))]);
        });
        return command;
    }
}
