using System.Text;
using Spectre.Console;

namespace Fathom.Cli.Rendering;

/// <summary>What a piece of text means; a terminal shows it in colour.</summary>
public enum Tone
{
    Plain,
    Heading,
    Good,
    Warning,
    Bad,
    Dim,
}

/// <summary>
/// Where results go: a terminal with colour and progress bars, or a stream of plain lines. Colour is off where
/// NO_COLOR is set; letters that the stream cannot carry are spelt out in ASCII.
/// </summary>
internal sealed class Terminal
{
    private readonly TextWriter error;
    private readonly bool interactive;
    private TextWriter output;
    private IAnsiConsole? console;
    private bool quiet;
    private bool live;

    public Terminal(TextWriter output, TextWriter error, bool interactive)
    {
        (this.output, this.error, this.interactive) = (output, error, interactive);
        console = interactive ? Open(output) : null;
    }

    /// <summary>Where <c>--json -</c> writes.</summary>
    public TextWriter Results => results ?? output;

    private TextWriter? results;

    /// <summary>Whether text goes to a terminal, which has room for a bar that moves.</summary>
    public bool Interactive => console is not null;

    /// <summary>Whether block letters such as ▁▂▃ can be shown.</summary>
    public bool Unicode => output.Encoding.CodePage is 65001 or 1200 or 1201 or 12000 or 12001;

    /// <summary>Whether findings are told with all that is known of them.</summary>
    public bool Verbose { get; set; }

    /// <summary>Says nothing from now on.</summary>
    public void Silence() => quiet = true;

    /// <summary>Leaves the output to JSON alone, and sends all text to the error stream.</summary>
    public void ReserveOutput()
    {
        results = output;
        output = error;
        console = interactive && !Console.IsErrorRedirected ? Open(error) : null;
    }

    public void Line(string text = "", Tone tone = Tone.Plain) => Line([(text, tone)]);

    /// <summary>One line on the error stream, even where nothing else is said.</summary>
    public void Warn(string text) => error.WriteLine($"fathom: {Readable(text)}");

    /// <summary>One line of several pieces.</summary>
    public void Line(IReadOnlyList<(string Text, Tone Tone)> pieces)
    {
        if (quiet)
        {
            return;
        }
        if (console is null)
        {
            output.WriteLine(Readable(string.Concat(pieces.Select(piece => piece.Text)).TrimEnd()));
            return;
        }
        foreach (IReadOnlyList<(string Text, Tone Tone)> row in LineWrap.Rows([.. pieces.Select(piece => (Readable(piece.Text), piece.Tone))], console.Profile.Width - 1))
        {
            Paragraph paragraph = new();
            foreach ((string text, Tone tone) in row)
            {
                paragraph.Append(text, StyleOf(tone));
            }
            // A row is written over the progress bars, which are drawn again below it: it has to cover them.
            int rest = live ? console.Profile.Width - 1 - row.Sum(piece => piece.Text.Length) : 0;
            paragraph.Append(new string(' ', Math.Max(0, rest)) + "\n");
            console.Write(paragraph);
        }
    }

    /// <summary>Runs work under a progress display.</summary>
    public void WithProgress(Action<IProgressView> work)
    {
        if (quiet || console is null)
        {
            work(new ProgressLines(this));
        }
        else
        {
            live = true;
            ProgressBars.Run(console, work);
            live = false;
        }
    }

    private static IAnsiConsole Open(TextWriter writer) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(writer),
        ColorSystem = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });

    private static Style StyleOf(Tone tone) => tone switch
    {
        Tone.Heading => new Style(decoration: Decoration.Bold),
        Tone.Good => new Style(Color.Green),
        Tone.Warning => new Style(Color.Yellow),
        Tone.Bad => new Style(Color.Red),
        Tone.Dim => new Style(Color.Grey),
        _ => Style.Plain,
    };

    private string Readable(string text)
    {
        if (Unicode)
        {
            return text;
        }
        StringBuilder plain = new(text);
        foreach ((string letter, string spelt) in Spelt)
        {
            plain.Replace(letter, spelt);
        }
        return plain.ToString();
    }

    /// <summary>Longer ones first: 10⁻⁵ is 10^-5.</summary>
    private static readonly (string Letter, string Spelt)[] Spelt =
        [("⁻²⁵", "^-25"), ("⁻⁵", "^-5"), ("⁻⁴", "^-4"), ("⁻³", "^-3"), ("⁻²", "^-2"), ("⁻¹", "^-1"), ("¹⁹", "^19"), ("⁴", "^4"), ("⁵", "^5"), ("⁸", "^8"), ("ᵀ", "^T"), ("½", "1/2"), ("⅓", "1/3"), ("¼", "1/4"),
         ("√", "sqrt "), ("ε", "epsilon"), ("β", "beta"), ("σ", "sigma"), ("α", "alpha"), ("η", "eta"), ("Δ", "d"), ("Σ", "sum "), ("₁", "1"), ("₂", "2"), ("⟨", "<"), ("⟩", ">"), ("ŷ", "y"), ("\u0302", ""), ("\u0304", ""),
         ("×", "x"), ("÷", "/"), ("→", "->"), ("∞", "inf"), ("²", "^2"), ("³", "^3"), ("φ", "phi"), ("‖", "|"), ("∂", "d"), ("·", "*"), ("≤", "<="), ("≥", ">="), ("−", "-"), ("χ", "chi"), ("ξ", "xi"), ("±", "+-"), ("«", "\""), ("»", "\""), ("…", "..."), ("–", "-")];
}
