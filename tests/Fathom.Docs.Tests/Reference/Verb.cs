using System.Reflection;
using Fathom.Formats;
using Fathom.Graphs;

namespace Fathom.Docs.Tests.Reference;

/// <summary>The fluent verb of an op or a block: an extension method of NetworkCursor.</summary>
internal sealed class Verb
{
    private static readonly Lazy<ILookup<string, MethodInfo>> ByPart = new(() => Part.Assemblies().SelectMany(assembly => assembly.GetExportedTypes())
        .Where(type => type.IsAbstract && type.IsSealed)
        .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static).Where(IsVerb).SelectMany(method => Names(type).Select(part => (part, method))))
        .ToLookup(pair => pair.part, pair => pair.method));

    private readonly MethodInfo method;
    private readonly object example;

    private Verb(MethodInfo method, object example) => (this.method, this.example) = (method, example);

    /// <summary>The verb that a class whose comment points at the record has; null if there is none.</summary>
    public static Verb? Find(Part part)
    {
        MethodInfo[] methods = [.. ByPart.Value[part.Type.FullName!].Distinct()];
        MethodInfo? method = Array.Find(methods, candidate => candidate.Name == part.Type.Name) ?? methods.FirstOrDefault();
        return method is null ? null : new Verb(method, Example.Of(part));
    }

    /// <summary>How many values the call needs, the one that it is made on included.</summary>
    public int LeastInputs => method.GetParameters().Count(parameter =>
        !parameter.HasDefaultValue
        && (parameter.ParameterType == typeof(NetworkCursor) || parameter.ParameterType == typeof(ReadOnlySpan<NetworkCursor>) || parameter.ParameterType == typeof(Func<NetworkCursor, NetworkCursor>)));

    /// <summary>The call that makes the part's example, such as <c>a.LeakyRelu(0.1)</c>.</summary>
    public string Call()
    {
        List<string> arguments = [];
        bool skipped = false;
        int others = 0;
        Dictionary<string, RecordSetting> settings = RecordSchema.Of(example).Settings.ToDictionary(setting => setting.Property.Name, StringComparer.OrdinalIgnoreCase);
        foreach (ParameterInfo parameter in method.GetParameters().Skip(1))
        {
            string? text = parameter.ParameterType == typeof(NetworkCursor) && !parameter.HasDefaultValue ? Example.InputName(++others)
                : parameter.ParameterType == typeof(ReadOnlySpan<NetworkCursor>) ? $"[{Example.InputName(++others)}]"
                : parameter.ParameterType == typeof(Func<NetworkCursor, NetworkCursor>) ? "x => x.Dense(64).Relu()"
                : parameter.ParameterType == example.GetType() ? Whole(settings)
                : Argument(parameter, settings);
            if (text is null)
            {
                skipped = true;
                continue;
            }
            arguments.Add(skipped ? $"{parameter.Name}: {text}" : text);
        }
        foreach (RecordSetting left in settings.Values.Where(setting => setting.Required))
        {
            throw new InvalidOperationException($"The verb {method.Name} has no parameter for the setting {left.Name} of {example.GetType().Name}.");
        }
        return $"{Example.InputName(0)}.{method.Name}({string.Join(", ", arguments)})";
    }

    /// <summary>All settings at once, as the record.</summary>
    private string Whole(Dictionary<string, RecordSetting> settings)
    {
        settings.Clear();
        return Example.Construction(example);
    }

    /// <summary>The value that the example has for a parameter, taken out of the settings; null where it is the parameter's default.</summary>
    private string? Argument(ParameterInfo parameter, Dictionary<string, RecordSetting> settings)
    {
        // useBias is Bias, groups is NumGroups.
        string? name = settings.Keys.FirstOrDefault(key => key.Equals(parameter.Name, StringComparison.OrdinalIgnoreCase))
            ?? settings.Keys.FirstOrDefault(key => parameter.Name == "use" + key || key.EndsWith(parameter.Name!, StringComparison.OrdinalIgnoreCase));
        if (name is null || !settings.Remove(name, out RecordSetting? setting))
        {
            return null;
        }
        object? value = setting.Property.GetValue(example);
        string text = Example.CSharp(value);
        bool isParams = parameter.IsDefined(typeof(System.Runtime.CompilerServices.ParamCollectionAttribute)) || parameter.IsDefined(typeof(ParamArrayAttribute));
        if (isParams)
        {
            return text[1..^1];
        }
        bool isEmptySpan = parameter is { HasDefaultValue: true, ParameterType.IsByRefLike: true } && text == "[]";
        return parameter.HasDefaultValue && (isEmptySpan || text == Example.CSharp(Example.Default(parameter))) ? null : text;
    }

    /// <summary>The parts that a class of verbs may be about: those that its comment names, and the one that it is named after, as ReluLayer.</summary>
    private static IEnumerable<string> Names(Type type)
    {
        string own = type.FullName!;
        string[] endings = ["Layer", "Block", "Verb"];
        return [.. DocComments.Mentioned(type), .. endings.Where(own.EndsWith).SelectMany(ending => new[] { own[..^ending.Length], own })];
    }

    private static bool IsVerb(MethodInfo method) =>
        method.ReturnType == typeof(NetworkCursor) && method.GetParameters() is [{ } first, ..] && first.ParameterType == typeof(NetworkCursor);
}
