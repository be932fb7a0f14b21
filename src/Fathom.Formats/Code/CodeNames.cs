using System.Globalization;
using Fathom.Graphs;

namespace Fathom.Formats.Code;

/// <summary>Names of nodes as identifiers, each once.</summary>
internal sealed class CodeNames(IEnumerable<string> reserved, IEnumerable<string> more)
{
    /// <summary>Python's keywords, what the code imports, and attributes of a torch module.</summary>
    public static readonly string[] Python =
    [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "match", "case",
        "self", "super", "torch", "nn", "F", "math", "keras", "layers", "Model", "Scale", "Shift", "model", "train", "eval", "forward", "half", "float", "double", "type", "to", "cpu", "cuda",
        "apply", "modules", "children", "parameters", "buffers", "training", "state_dict", "zero_grad", "initialize", "range", "len", "min", "max", "sum", "factor", "compile",
    ];

    /// <summary>C#'s keywords.</summary>
    public static readonly string[] CSharp =
    [
        "abstract", "as", "base", "bool", "break", "byte", "case", "catch", "char", "checked", "class", "const", "continue", "decimal", "default", "delegate", "do", "double", "else",
        "enum", "event", "explicit", "extern", "false", "finally", "fixed", "float", "for", "foreach", "goto", "if", "implicit", "in", "int", "interface", "internal", "is", "lock",
        "long", "namespace", "new", "null", "object", "operator", "out", "override", "params", "private", "protected", "public", "readonly", "ref", "return", "sbyte", "sealed", "short",
        "sizeof", "stackalloc", "static", "string", "struct", "switch", "this", "throw", "true", "try", "typeof", "uint", "ulong", "unchecked", "unsafe", "ushort", "using", "virtual",
        "void", "volatile", "while", "slot", "Create",
    ];

    private readonly Dictionary<Node, string> names = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> taken = [.. reserved, .. more];

    public string Of(Node node)
    {
        if (names.TryGetValue(node, out string? known))
        {
            return known;
        }
        string plain = new([.. node.Name.Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '_')]);
        plain = plain.Length == 0 || char.IsAsciiDigit(plain[0]) ? "_" + plain : plain;
        string name = plain;
        for (int number = 2; !taken.Add(name); number++)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{plain}_{number}");
        }
        return names[node] = name;
    }

    /// <summary>The Python variable of a value; further outputs have their index behind two bars.</summary>
    public string Of(Value value) => value.Index == 0 ? Of(value.Node) : string.Create(CultureInfo.InvariantCulture, $"{Of(value.Node)}__{value.Index}");

    public string CSharpValue(Value value) => value.Index == 0 ? Of(value.Node) : string.Create(CultureInfo.InvariantCulture, $"new Value({Of(value.Node)}.Node, {value.Index})");
}
