using System.Globalization;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>A built-in data set as a spec asks for it: NAME or NAME?key=value&amp;key=value.</summary>
internal sealed class BuiltInSpec
{
    private const string SeedKey = "seed";

    private readonly BuiltIn builtIn;
    private readonly Dictionary<string, double> given = [];
    private ulong? seed;

    private BuiltInSpec(BuiltIn builtIn) => this.builtIn = builtIn;

    public string Name => builtIn.Name;

    public static BuiltInSpec Parse(string spec)
    {
        int mark = spec.IndexOf('?');
        string name = mark < 0 ? spec : spec[..mark];
        BuiltIn builtIn = Catalogue.All.FirstOrDefault(b => b.Name == name) ?? throw Unknown(name);
        var parsed = new BuiltInSpec(builtIn);
        if (mark >= 0)
        {
            foreach (string pair in spec[(mark + 1)..].Split('&'))
            {
                parsed.Add(pair);
            }
        }
        return parsed;
    }

    /// <summary>The seed of the rows; data that are not drawn are the same for every seed.</summary>
    public ulong Seed(DataOptions options) => builtIn.Drawn ? seed ?? options.Seed : 0;

    public DataSet Create(DataOptions options)
    {
        var values = builtIn.Parameters.ToDictionary(p => p.Name, p => p.Default);
        TakeOption("samples", options.Samples, values);
        TakeOption("noise", options.Noise, values);
        bool choosesClasses = builtIn.Parameters.Any(p => p.Name == "classes");
        if (choosesClasses)
        {
            TakeOption("classes", options.Classes, values);
        }
        foreach ((string key, double value) in given)
        {
            values[key] = value;
        }
        DataSet data = builtIn.Create(new BuiltInArguments(Seed(options), values));
        if (!choosesClasses && options.Classes is { } classes && classes != data.Classes)
        {
            throw new DataException($"{Name} has {data.Classes} classes, but {classes} were asked for.");
        }
        return data;
    }

    private void TakeOption(string key, double? value, Dictionary<string, double> values)
    {
        if (value is { } number && !given.ContainsKey(key))
        {
            values[key] = Checked(Parameter(key), number);
        }
    }

    private void Add(string pair)
    {
        int equals = pair.IndexOf('=');
        if (equals < 1)
        {
            throw new DataException($"'{pair}' in the spec of {Name} is no parameter: write KEY=VALUE, such as samples=500.");
        }
        (string key, string text) = (pair[..equals], pair[(equals + 1)..]);
        if (given.ContainsKey(key) || (key == SeedKey && seed is not null))
        {
            throw new DataException($"{Name}: {key} is given twice.");
        }
        if (key == SeedKey && builtIn.Drawn)
        {
            seed = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong s)
                ? s
                : throw new DataException($"{Name}: seed is '{text}', but must be a whole number from 0.");
            return;
        }
        BuiltInParameter parameter = Parameter(key);
        given[key] = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            ? Checked(parameter, value)
            : throw new DataException($"{Name}: {key} is '{text}', which is not a number.");
    }

    private BuiltInParameter Parameter(string key)
    {
        if (builtIn.Parameters.FirstOrDefault(p => p.Name == key) is { } found)
        {
            return found;
        }
        List<string> known = [.. builtIn.Parameters.Select(p => p.Name)];
        if (builtIn.Drawn)
        {
            known.Add(SeedKey);
        }
        string list = known.Count == 0 ? "It takes none." : $"It takes {string.Join(", ", known)}.";
        throw new DataException($"{Name} has no parameter '{key}'.{Spelling.Hint(key, known)} {list}");
    }

    private double Checked(BuiltInParameter parameter, double value)
    {
        bool right = value >= parameter.Minimum && value <= parameter.Maximum && (!parameter.Whole || value == Math.Floor(value));
        return right ? value : throw new DataException(string.Create(CultureInfo.InvariantCulture,
            $"{Name}: {parameter.Name} is {value}, but must be a {(parameter.Whole ? "whole " : "")}number from {parameter.Minimum} to {parameter.Maximum}."));
    }

    private static DataException Unknown(string name)
    {
        string hint = File.Exists(name) || Path.HasExtension(name) ? $" For a file write csv:{name}."
            : Directory.Exists(name) ? $" For a folder of IDX files write idx:{name}."
            : Spelling.Hint(name, Catalogue.All.Select(b => b.Name));
        return new DataException($"There is no data set '{name}'.{hint} Known are {string.Join(", ", Catalogue.All.Select(b => b.Name))}, csv:FILE and idx:DIR.");
    }
}
