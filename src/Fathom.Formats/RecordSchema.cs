using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Reflection;
using System.Text;

namespace Fathom.Formats;

/// <summary>One setting of an op, loss, optimizer, schedule, clipping rule or initializer.</summary>
/// <param name="Name">Its name in model files: the parameter's name in snake_case.</param>
/// <param name="Property">Where a record holds its value.</param>
/// <param name="Required">True if the constructor has no default for it.</param>
internal sealed record RecordSetting(string Name, PropertyInfo Property, bool Required)
{
    public Type Type => Property.PropertyType;
}

/// <summary>
/// What a model file may say about a record: the parameters of its primary constructor, so that a new op or optimizer
/// needs no line of code here.
/// </summary>
internal sealed class RecordSchema
{
    private static readonly ConcurrentDictionary<Type, RecordSchema> Schemas = new();

    private readonly ConstructorInfo constructor;

    private RecordSchema(Type type)
    {
        constructor = type.GetConstructors()
            .Where(candidate => !candidate.GetParameters().Any(parameter => parameter.ParameterType == type))
            .MaxBy(candidate => candidate.GetParameters().Length)
            ?? throw new InvalidOperationException($"{type} has no public constructor.");
        Settings =
        [
            .. constructor.GetParameters().Select(parameter => new RecordSetting(SnakeCase(parameter.Name!),
                type.GetProperty(parameter.Name!) ?? throw new InvalidOperationException($"{type} does not hold its parameter {parameter.Name}."),
                !parameter.HasDefaultValue)),
        ];
    }

    /// <summary>The settings in the order of the constructor's parameters.</summary>
    public ImmutableArray<RecordSetting> Settings { get; }

    public static RecordSchema Of(object record) => Schemas.GetOrAdd(record.GetType(), static type => new RecordSchema(type));

    /// <summary>A record like the given one, with other values for some settings.</summary>
    public T With<T>(T record, IReadOnlyDictionary<string, object?> values) where T : class
    {
        object?[] arguments = [.. Settings.Select(setting => values.TryGetValue(setting.Name, out object? value) ? value : setting.Property.GetValue(record))];
        try
        {
            return (T)constructor.Invoke(arguments);
        }
        catch (TargetInvocationException wrapper) when (wrapper.InnerException is { } error)
        {
            throw error;
        }
    }

    /// <summary>LearningRate → learning_rate, Beta1 → beta1.</summary>
    public static string SnakeCase(string name)
    {
        StringBuilder text = new();
        for (int i = 0; i < name.Length; i++)
        {
            bool starts = i > 0 && char.IsUpper(name[i])
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            text.Append(starts ? "_" : "").Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }
}
