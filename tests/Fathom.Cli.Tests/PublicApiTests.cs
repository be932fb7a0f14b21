using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Fathom.Testing;

namespace Fathom.Cli.Tests;

/// <summary>
/// Holds the public surface of every library against <c>docs/api/NAME.txt</c>, so that a change of it is seen and meant.
/// <c>FATHOM_ACCEPT=1 dotnet test tests/Fathom.Cli.Tests --filter PublicApi</c> writes the files anew.
/// </summary>
public sealed class PublicApiTests
{
    [Theory]
    [InlineData(typeof(Compute.WorkerPool))]
    [InlineData(typeof(Graphs.Graph))]
    [InlineData(typeof(Theory.SignalPropagation))]
    [InlineData(typeof(Training.TrainingSession))]
    [InlineData(typeof(Runs.RunReader))]
    [InlineData(typeof(Diagnosis.Finding))]
    [InlineData(typeof(Formats.ModelReader))]
    [InlineData(typeof(Dashboard.Report))]
    public void SurfaceIsTheAcceptedOne(Type anchor)
    {
        Assembly assembly = anchor.Assembly;
        string path = Path.Combine(RepositoryFiles.Root, "docs", "api", assembly.GetName().Name + ".txt");
        string surface = Describe(assembly);
        if (Environment.GetEnvironmentVariable("FATHOM_ACCEPT") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, surface);
        }
        Assert.Equal(File.ReadAllText(path), surface);
    }

    private static string Describe(Assembly assembly)
    {
        StringBuilder text = new();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(Name(type)).Append('\n');
            IEnumerable<string> members = type
                .GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
                .Where(Visible).Select(Signature).Order(StringComparer.Ordinal);
            foreach (string member in members)
            {
                text.Append("    ").Append(member).Append('\n');
            }
        }
        return text.ToString();
    }

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "enum",
        { IsValueType: true } => "struct",
        { IsInterface: true } => "interface",
        { IsAbstract: true, IsSealed: true } => "static class",
        { IsAbstract: true } => "abstract class",
        _ when type.IsSubclassOf(typeof(Delegate)) => "delegate",
        _ => "sealed class",
    };

    /// <summary>Public, or protected in a class that can be derived from; nothing that the compiler made for records and accessors.</summary>
    private static bool Visible(MemberInfo member)
    {
        if (member.GetCustomAttribute<CompilerGeneratedAttribute>() is not null && member is not PropertyInfo)
        {
            return false;
        }
        return member switch
        {
            Type => false,
            MethodInfo method => !method.IsSpecialName && Seen(method) && method.Name is not ("PrintMembers" or "<Clone>$"),
            ConstructorInfo constructor => Seen(constructor),
            FieldInfo field => field.IsPublic || field.IsFamily,
            PropertyInfo property => property.GetAccessors(true).Any(Seen) && property.Name != "EqualityContract",
            EventInfo => true,
            _ => false,
        };
    }

    private static bool Seen(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Signature(MemberInfo member) => member switch
    {
        MethodInfo method => $"{(method.IsStatic ? "static " : "")}{Name(method.ReturnType)} {method.Name}{Generic(method)}({Parameters(method)})",
        ConstructorInfo constructor => $"new({Parameters(constructor)})",
        FieldInfo field => $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}",
        PropertyInfo property => $"{Name(property.PropertyType)} {property.Name} {{ {(property.GetMethod is { } get && Seen(get) ? "get; " : "")}{(property.SetMethod is { } set && Seen(set) ? "set; " : "")}}}",
        EventInfo raised => $"event {Name(raised.EventHandlerType!)} {raised.Name}",
        _ => member.ToString()!,
    };

    private static string Generic(MethodInfo method) =>
        method.IsGenericMethodDefinition ? $"<{string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name))}>" : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter => $"{Name(parameter.ParameterType)} {parameter.Name}"));

    private static string Name(Type type)
    {
        if (type.IsGenericParameter)
        {
            return type.Name;
        }
        if (type.IsByRef || type.IsArray || type.IsPointer)
        {
            return Name(type.GetElementType()!) + (type.IsByRef ? "&" : type.IsPointer ? "*" : "[]");
        }
        string name = type.IsNested ? $"{Name(type.DeclaringType!)}.{type.Name}" : type.Name;
        int tick = name.LastIndexOf('`');
        return tick < 0 ? name : $"{name[..tick]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }
}
