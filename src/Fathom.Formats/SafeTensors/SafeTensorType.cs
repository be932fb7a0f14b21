namespace Fathom.Formats.SafeTensors;

/// <summary>The element types that a safetensors file may hold, by their names in its header.</summary>
public enum SafeTensorType
{
    /// <summary>A byte that is zero for false.</summary>
    BOOL,
    U8,
    I8,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of an F32.</summary>
    BF16,
    I32,
    F32,
    I64,
    F64,
}

internal static class SafeTensorTypes
{
    public static int Size(this SafeTensorType type) => type switch
    {
        SafeTensorType.BOOL or SafeTensorType.U8 or SafeTensorType.I8 => 1,
        SafeTensorType.F16 or SafeTensorType.BF16 => 2,
        SafeTensorType.I32 or SafeTensorType.F32 => 4,
        SafeTensorType.I64 or SafeTensorType.F64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "There is no such element type."),
    };

    public static bool IsWhole(this SafeTensorType type) => type is not
        (SafeTensorType.F16 or SafeTensorType.BF16 or SafeTensorType.F32 or SafeTensorType.F64);

    /// <summary>Takes the exact names of the format only: not numbers or other cases, which Enum.TryParse would.</summary>
    public static SafeTensorType? Parse(string name)
    {
        foreach (SafeTensorType type in Enum.GetValues<SafeTensorType>())
        {
            if (type.ToString() == name)
            {
                return type;
            }
        }
        return null;
    }
}
