using System.Text;

namespace Fathom.Dashboard;

/// <summary>
/// Writes HTML and SVG that are well-formed XML at the same time: every text and attribute goes through it and is
/// escaped, and every element is closed, so that no text from a run can become markup.
/// </summary>
internal sealed class Markup
{
    private readonly StringBuilder _text = new();
    private readonly Stack<string> _open = new();

    /// <summary>Opens an element; attributes whose value is null are left out.</summary>
    public Markup Open(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        _text.Append('>');
        _open.Push(tag);
        return this;
    }

    /// <summary>Closes the innermost open element.</summary>
    public Markup Close()
    {
        _text.Append("</").Append(_open.Pop()).Append('>');
        return this;
    }

    /// <summary>Closes the innermost open element and starts a new line, to keep the page's source readable.</summary>
    public Markup CloseLine()
    {
        Close();
        _text.Append('\n');
        return this;
    }

    /// <summary>An element without content: an SVG shape, or one of HTML's void elements.</summary>
    public Markup Empty(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        _text.Append("/>");
        return this;
    }

    /// <summary>An element that holds only text.</summary>
    public Markup Element(string tag, string text, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        _text.Append('>');
        Escape(text, inAttribute: false);
        _text.Append("</").Append(tag).Append('>');
        return this;
    }

    public Markup Text(string text)
    {
        Escape(text, inAttribute: false);
        return this;
    }

    /// <summary>Appends trusted text as it is: the page's own style sheet and document type, nothing from a run.</summary>
    public Markup Trusted(string text)
    {
        _text.Append(text);
        return this;
    }

    public override string ToString() => _open.Count == 0
        ? _text.ToString()
        : throw new InvalidOperationException($"<{_open.Peek()}> is still open.");

    private void Start(string tag, ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        _text.Append('<').Append(tag);
        foreach ((string name, string? value) in attributes)
        {
            if (value is not null)
            {
                _text.Append(' ').Append(name).Append("=\"");
                Escape(value, inAttribute: true);
                _text.Append('"');
            }
        }
    }

    private void Escape(string text, bool inAttribute)
    {
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            switch (c)
            {
                case '&': _text.Append("&amp;"); break;
                case '<': _text.Append("&lt;"); break;
                case '>': _text.Append("&gt;"); break;
                case '"' when inAttribute: _text.Append("&quot;"); break;
                case '\n' or '\t': _text.Append(c); break;
                case '\r': break;
                case var _ when char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]):
                    _text.Append(c).Append(text[++i]);
                    break;
                // What XML forbids in any form: other control characters, halves of surrogate pairs, two non-characters.
                case < ' ' or '\u007f' or '\ufffe' or '\uffff':
                case var _ when char.IsSurrogate(c):
                    _text.Append('\ufffd');
                    break;
                default: _text.Append(c); break;
            }
        }
    }
}
