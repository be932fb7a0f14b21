using Spectre.Console;

namespace Fathom.Cli.Rendering;

/// <summary>How far some work has come.</summary>
internal interface IProgressView
{
    /// <summary>Moves a bar, which appears when it is first named.</summary>
    /// <param name="bar">Name of the bar.</param>
    /// <param name="share">0 to 1.</param>
    /// <param name="detail">Such as loss and accuracy; null for what it was.</param>
    void Report(string bar, double share, string? detail = null);
}

/// <summary>On a pipe: one line when a piece of work begins and one when it is done.</summary>
internal sealed class ProgressLines(Terminal terminal) : IProgressView
{
    private readonly HashSet<string> begun = [];
    private readonly HashSet<string> done = [];

    public void Report(string bar, double share, string? detail = null)
    {
        if (begun.Add(bar))
        {
            terminal.Line($"{bar} …", Tone.Dim);
        }
        if (share >= 1 && done.Add(bar))
        {
            terminal.Line($"{bar}: done", Tone.Dim);
        }
    }
}

/// <summary>On a terminal: a bar each with share and time left.</summary>
internal sealed class ProgressBars : IProgressView
{
    private const double Full = 1000;
    private const int BarWidth = 20;

    /// <summary>Share, time left and the gaps between the columns.</summary>
    private const int NumbersWidth = 17;

    private readonly ProgressContext context;
    private readonly Dictionary<string, ProgressTask> bars = [];
    private readonly Dictionary<string, long> drawn = [];

    private readonly int room;

    private ProgressBars(ProgressContext context, int room) => (this.context, this.room) = (context, room);

    public static void Run(IAnsiConsole console, Action<IProgressView> work) => console.Progress()
        .AutoClear(false)
        .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = BarWidth }, new PercentageColumn(), new RemainingTimeColumn())
        .Start(context => work(new ProgressBars(context, Math.Max(20, console.Profile.Width - BarWidth - NumbersWidth))));

    public void Report(string bar, double share, string? detail = null)
    {
        // A step may take microseconds; the eye needs no more than ten changes a second.
        long now = Environment.TickCount64;
        if (share < 1 && bars.ContainsKey(bar) && now - drawn[bar] < 100)
        {
            return;
        }
        drawn[bar] = now;
        if (!bars.TryGetValue(bar, out ProgressTask? task))
        {
            bars[bar] = task = context.AddTask(Markup.Escape(bar), maxValue: Full);
        }
        task.Value = Math.Clamp(share, 0, 1) * Full;
        if (detail is not null)
        {
            string text = $"{bar}  {detail}";
            task.Description = Markup.Escape(text.Length > room ? text[..(room - 1)] + "…" : text);
        }
    }
}
