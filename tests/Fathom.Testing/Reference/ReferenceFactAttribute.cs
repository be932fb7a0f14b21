using Xunit;

namespace Fathom.Testing.Reference;

/// <summary>A fact that needs the reference vectors, and is skipped with a reason where they are not.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ReferenceFactAttribute : FactAttribute
{
    public ReferenceFactAttribute()
    {
        if (!ReferenceFolder.Exists)
        {
            Skip = $"There is no index.json in {RepositoryFiles.ReferenceFolder}; FATHOM_REFERENCE may name another folder.";
        }
    }
}
