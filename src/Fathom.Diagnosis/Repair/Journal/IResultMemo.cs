namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>
/// What stands between asking for the result of a finished piece of an examination and computing it. Safe to use from several
/// threads at once.
/// </summary>
public interface IResultMemo
{
    /// <summary>The result of a piece; null if it is not known and has to be computed.</summary>
    /// <param name="piece">The piece's name, which is the same in each examination of the same network.</param>
    T? Find<T>(string piece) where T : class;

    /// <summary>Keeps the result of a piece that was computed.</summary>
    void Keep<T>(string piece, T result) where T : class;
}

/// <summary>Knows nothing and keeps nothing: everything is computed.</summary>
public sealed class NoMemo : IResultMemo
{
    private NoMemo()
    {
    }

    public static NoMemo Instance { get; } = new();

    public T? Find<T>(string piece) where T : class => null;

    public void Keep<T>(string piece, T result) where T : class
    {
    }
}
