using System.Diagnostics;
using System.Globalization;
using Fathom.Runs;
using Fathom.Runs.Tests.Writer;

// write PATH COLUMNS BUDGET      writes steps until it is killed, printing each step's number once it is committed
// measure PATH COLUMNS STEPS     prints the time per step
const int HistogramEvery = 7;
string path = args[1];
int columnCount = int.Parse(args[2], CultureInfo.InvariantCulture);
long limit = long.Parse(args[3], CultureInfo.InvariantCulture);
TensorColumn[] columns = SampleRun.Columns(columnCount);
TensorRow[] rows = new TensorRow[columnCount];

if (args[0] == "measure")
{
    Measure();
    return;
}

RunWriterOptions options = new() { ByteBudget = limit };
using RunWriter writer = File.Exists(path)
    ? RunWriter.Append(path, LastStep(), columns, options)
    : RunWriter.Create(path, SampleRun.Header(), columns, options: options);
using Stream output = Console.OpenStandardOutput();
byte[] line = new byte[32];
uint[] bins = new uint[256];
for (long step = (writer.LastStep ?? -1) + 1; ; step++)
{
    SampleRun.Fill(step, rows);
    if (step % HistogramEvery == 0)
    {
        bins[step % 256]++;
        writer.AppendHistograms(step, 0, bins);
    }

    writer.AppendStep(SampleRun.Step(step), rows);
    step.TryFormat(line, out int length, default, CultureInfo.InvariantCulture);
    line[length] = (byte)'\n';
    output.Write(line, 0, length + 1);
}

long LastStep()
{
    using RunReader reader = RunReader.Open(path);
    return reader.LastStep ?? -1;
}

void Measure()
{
    using RunWriter measured = RunWriter.Create(path, SampleRun.Header(), columns, overwrite: true);
    long[] ticks = new long[limit];
    for (long step = 0; step < limit; step++)
    {
        SampleRun.Fill(step, rows);
        long start = Stopwatch.GetTimestamp();
        measured.AppendStep(SampleRun.Step(step), rows);
        ticks[step] = Stopwatch.GetTimestamp() - start;
    }

    double mean = Stopwatch.GetElapsedTime(0, ticks.Sum()).TotalMicroseconds / limit;
    Array.Sort(ticks);
    string Microseconds(long t) => Stopwatch.GetElapsedTime(0, t).TotalMicroseconds.ToString("F1", CultureInfo.InvariantCulture);
    Console.WriteLine(
        $"mean {mean:F1} us, median {Microseconds(ticks[limit / 2])}, p99 {Microseconds(ticks[limit * 99 / 100])}, max {Microseconds(ticks[^1])}");
}
