using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Fathom.Cli.Arguments;

/// <summary>Options that take a whole number and say so when they get something else.</summary>
internal static class Numbers
{
    public static Option<T?> Option<T>(string name, string help, T least, T? most = null, string valueName = "N") where T : struct, IBinaryInteger<T> => new(name)
    {
        Description = help,
        HelpName = valueName,
        CustomParser = result => Parse(result, name, least, most),
    };

    private static T? Parse<T>(ArgumentResult result, string name, T least, T? most) where T : struct, IBinaryInteger<T>
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[0].Value : "";
        if (T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out T value) && value >= least && !(value > most))
        {
            return value;
        }
        result.AddError($"{name} is '{text}'; it must be a whole number {(most is { } limit ? $"from {least} to {limit}" : $"of {least} or more")}");
        return null;
    }
}
